# Compare before and after training.
# From notebooks/08_fine_tuning_data.ipynb, section “Is the trained model better than the prompt?”.
# Needs: pip install numpy

import numpy as np

prompt_ok = [True, False, True, True, False, False, True, False, True, False]
trained_ok = [True, True, True, False, True, False, True, True, True, True]


def compare(before, after, draws=10_000):
    """The difference of two shares on the same questions, and its 95% interval."""
    steps = np.array([float(new) - float(old) for old, new in zip(before, after, strict=True)])
    picks = np.random.default_rng(0).integers(0, len(steps), (draws, len(steps)))
    low, high = np.quantile(steps[picks].mean(axis=1), [0.025, 0.975])
    return steps.mean(), low, high


print("{:+.2f}, from {:+.2f} to {:+.2f}".format(*compare(prompt_ok, trained_ok)))
