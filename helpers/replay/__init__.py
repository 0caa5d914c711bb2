"""Recorded answers; README.md in this folder follows one call."""
