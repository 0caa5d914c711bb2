# Compute a bootstrap interval.
# From notebooks/09_cost_comparison.ipynb, section “Choose a model by measuring”.
# Needs: pip install numpy

import numpy as np


def interval(right, draws=5000):
    """The accuracy and its 95% bootstrap interval."""
    right = np.asarray(right, dtype=float)
    means = np.random.default_rng(8).choice(right, (draws, len(right))).mean(axis=1)
    return float(right.mean()), *np.percentile(means, [2.5, 97.5]).tolist()


print(interval([True] * 80 + [False] * 20))
