# Compare two vectors.
# From notebooks/05_embeddings.ipynb, section “Compare two vectors”.
# Needs: pip install numpy

import numpy as np


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """The cosine of the angle between two vectors, from -1 to 1."""
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


print(f"{cosine(np.array([1.0, 2.0]), np.array([2.0, 1.0])):.2f}")
