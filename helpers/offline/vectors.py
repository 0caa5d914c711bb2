"""The stand-in vectors: all-MiniLM-L6-v2's, turned into 1024 dimensions like those of mistral-embed.

`vectors.npz` holds MiniLM's vector of each text that a lesson embeds, under the text's hash. A fixed
orthonormal matrix maps its 384 dimensions into 1024: every length and every angle stays.
"""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

import numpy as np
from scipy.linalg import hadamard

FILE = Path(__file__).parent.parent.parent / "data" / "stand_ins" / "vectors.npz"
DIMENSIONS = 1024


def vector(text: str) -> list[float]:
    """1024 values, each exactly a float16 as those of the API, of unit length to 4e-4."""
    return (turn() @ narrow(text)).astype(np.float16).astype(float).tolist()


@functools.cache
def turn() -> np.ndarray:
    """A matrix (1024, 384) with orthonormal columns: of Hadamard's, with fixed random signs.

    All its values are plus or minus 1/32, so that it is the same on every machine.
    """
    signs = np.random.default_rng(384).choice([-1.0, 1.0], size=384)
    return hadamard(DIMENSIONS)[:, :384] * signs / np.sqrt(DIMENSIONS)


def narrow(text: str) -> np.ndarray:
    """MiniLM's own vector. A text that is not stored needs MINILM=1 and the model: `make vectors`."""
    known, key = store(), hashlib.sha256(text.encode()).hexdigest()[:32]
    if key not in known:
        if not os.environ.get("MINILM"):
            raise LookupError(f"No vector is stored for this text; run make vectors. {text[:80]!r}")
        known[key] = model()(text).astype(np.float16)
        np.savez(FILE, **known)
    return known[key].astype(float)


@functools.cache
def store() -> dict[str, np.ndarray]:
    return dict(np.load(FILE)) if FILE.exists() else {}


@functools.cache
def model():
    from .minilm import MiniLM

    return MiniLM()
