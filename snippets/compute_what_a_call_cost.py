# Compute what a call cost.
# From notebooks/09_cost_comparison.ipynb, section “What a token costs”.

IN, OUT = 0.15e-6, 0.60e-6  # dollars per token of mistral-small-latest, 2026-08-21
usage = {"prompt_tokens": 23, "completion_tokens": 26}  # as the API reported it above
print(f"{usage['prompt_tokens'] * IN + usage['completion_tokens'] * OUT:.6f} dollars")
