"""Count the texts of data/same_text.csv with tokenizers of other vendors: data/measured/tokenizers.csv.

Run by `make tokenizers`, since it needs a large package that carries them: litellm.
"""

from __future__ import annotations

import csv
import datetime
import importlib.metadata
import os
from importlib.util import find_spec
from pathlib import Path

DATA = Path(__file__).parents[2] / "data"
NAMES = {"cl100k_base": "OpenAI 2023 (GPT-4)", "o200k_base": "OpenAI 2024 (GPT-4o)"}


def main() -> None:
    package = Path(find_spec("litellm").submodule_search_locations[0])
    os.environ["TIKTOKEN_CACHE_DIR"] = str(package / "litellm_core_utils" / "tokenizers")
    import tiktoken

    with (DATA / "same_text.csv").open(encoding="utf-8", newline="") as lines:
        texts = list(csv.DictReader(lines))
    source = f"tiktoken {importlib.metadata.version('tiktoken')}"
    with (DATA / "measured" / "tokenizers.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["language", "tokenizer", "used_by", "tokens", "source", "as_of"])
        for name, used_by in NAMES.items():
            encode = tiktoken.get_encoding(name).encode
            for row in texts:
                today = datetime.date.today()
                rows.writerow(
                    [row["language"], name, used_by, len(encode(row["text"])), source, today]
                )


if __name__ == "__main__":
    main()
