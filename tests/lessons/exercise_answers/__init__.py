"""Right and wrong answers to each lesson's exercises."""
