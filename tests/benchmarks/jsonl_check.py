"""Time `finetuning.check` on a million lines, against pandas. Part of `make bench`.

Makes a file of chats (about 1.1 GB; `--lines` for another size) with 16 kinds of problems in 0.5% of
its lines. Prints seconds, also of CPU (which hardly depend on what else the machine does), the peak of
memory, and how many problems were found with the right reason; for a million lines, it also writes
them to data/measured/jsonl_check.csv.
pandas stops at the first line that is not UTF-8 or not JSON, so it gets a file without those.
"""

import argparse
import csv
import datetime
import itertools
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
SYSTEM = "You are the help desk of a shop. Answer kindly, in two or three sentences."
OUT = ROOT / "data" / "measured" / "jsonl_check.csv"
LINES = 1_000_000
UNREADABLE = ("bad JSON", "not an object", "not UTF-8")


def make(path, problems_path, count, readable_path):
    """A file with planted problems: which line has which, goes into problems_path."""
    rng = random.Random(7)
    sounds = [c + v for c in "bcdfghklmnprstvwz" for v in "aeiou"]
    vocabulary = ["".join(rng.choices(sounds, k=rng.randint(1, 4))) for _ in range(20_000)]
    weights = list(itertools.accumulate(1 / (n + 10) for n in range(len(vocabulary))))

    def words(low, high):
        return " ".join(rng.choices(vocabulary, cum_weights=weights, k=rng.randint(low, high)))

    def sample():
        messages = [{"role": "system", "content": SYSTEM}]
        for _ in range(rng.randint(1, 3)):
            messages.append({"role": "user", "content": f"{words(15, 30)}?"})
            if rng.random() < 0.05:
                call_id = "".join(rng.choices("abcdefghijk0123456789", k=9))
                function = {
                    "name": "order",
                    "arguments": json.dumps({"number": rng.randint(1, 9**9)}),
                }
                messages.append(
                    {"role": "assistant", "tool_calls": [{"id": call_id, "function": function}]}
                )
                messages.append({"role": "tool", "tool_call_id": call_id, "content": words(5, 9)})
            messages.append({"role": "assistant", "content": f"{words(25, 60)}."})
        return {"messages": messages}

    def change(value, **new):
        value["messages"][-1].update(new)
        return value

    def nearly(text):
        parts = text.split()
        parts[len(parts) // 2] = "otherwise"
        return " ".join(parts)

    old = []  # good lines, to be repeated, each once

    def early():
        return json.loads(old.pop(rng.randrange(len(old))))

    def dump(value):
        return json.dumps(value).encode()

    def broken(kind):
        value = sample()
        messages = value["messages"]
        if kind == "bad JSON":
            return dump(value)[:-2]
        if kind == "not an object":
            return dump(messages)
        if kind == "not UTF-8":
            return dump(value).replace(b"?", b"\xe9", 1)
        if kind == "role":
            messages[1]["role"] = "human"
        elif kind == "empty content":
            messages[1]["content"] = "  "
        elif kind == "wrong order":
            messages[3:3] = [messages[0], {"role": "user", "content": words(5, 9)}, messages[2]]
        elif kind == "last message":
            messages.append({"role": "user", "content": words(5, 9)})
        elif kind == "tool call":
            messages[-1:] = [
                {"role": "tool", "tool_call_id": "abcdef123", "content": "5"},
                messages[-1],
            ]
            messages[-3:-2] += [{"role": "assistant", "content": words(5, 9)}]
        elif kind == "weight":
            messages[-1]["weight"] = 0.5
        elif kind == "too long":
            messages[-1]["content"] = words(40_000, 41_000)
        elif kind == "e-mail address":
            messages[1]["content"] += (
                f" {rng.choice(vocabulary)}.{rng.choice(vocabulary)}@example.com"
            )
        elif kind == "API key":
            messages[1]["content"] += " my key: " + "".join(rng.choices("aB3dE6gH9", k=28)) + "a1B2"
        elif kind == "contradiction":
            return dump(change(early(), content=f"{words(25, 60)}."))
        elif kind == "duplicate":
            return old.pop(rng.randrange(len(old)))
        elif kind == "duplicate but for whitespace or case":
            return old.pop(rng.randrange(len(old))).replace(b"?", b" ?\\n", 1)
        elif kind == "near-duplicate":
            value = early()
            messages = value["messages"]
            messages[1]["content"] = nearly(messages[1]["content"])
            messages[-1]["content"] = nearly(messages[-1]["content"])
        return dump(value)

    kinds = [
        *UNREADABLE,
        "role",
        "empty content",
        "wrong order",
        "last message",
        "tool call",
        "weight",
    ]
    kinds += ["too long", "e-mail address", "API key", "contradiction", "duplicate"]
    kinds += ["duplicate but for whitespace or case", "near-duplicate"]
    planted = {}
    with path.open("wb") as file, readable_path.open("wb") as readable:
        for number in range(1, count + 1):
            if number > 1000 and rng.random() < 0.005:
                kind = kinds[len(planted) % len(kinds)]
                if kind == "too long" and len(planted) % 5:
                    kind = "role"  # a few are enough: each is 200 KB
                line, planted[number] = broken(kind), kind
            else:
                line = dump(sample())
                if len(old) < 20_000:
                    old.append(line)
            file.write(line + b"\n")
            if planted.get(number) not in UNREADABLE:
                readable.write(line + b"\n")
    problems_path.write_text(json.dumps(planted))


def by_us(path):
    from helpers import finetuning

    report = finetuning.check(path)
    return {(p.line, p.reason) for p in report.problems}


def by_pandas(path):
    """The same checks as a user of pandas would write them, except for near-duplicates."""
    import pandas as pd

    found, digests = set(), []
    email = r"[\w.+%-]+@(?:[\w-]+\.)+[a-z]{2,}"
    key = r"(?:sk-|hf_|ghp_|AKIA)[\w-]{16,}|(?i:key|token|secret|password)\W{1,4}[\w-]{16,}"
    for chunk in pd.read_json(path, lines=True, chunksize=10_000):
        chunk.index += 1  # lines are counted from 1
        messages = chunk["messages"].explode()
        table = pd.DataFrame(messages.tolist(), index=messages.index)
        content, role = table["content"].fillna(""), table["role"]
        group = role.groupby(level=0)
        before = group.shift().fillna("")
        step = before + ">" + role
        good = {">system", ">user", "system>user", "user>assistant", "assistant>user"}
        good |= {"assistant>tool", "tool>tool", "tool>assistant"}
        calls = table["tool_calls"].notna()
        tests = {
            "role": ~role.isin(["system", "user", "assistant", "tool"]),
            "wrong order": ~step.isin(good),
            "empty content": (content.str.strip() == "") & ~calls,
            "weight": table["weight"].notna() & ~table["weight"].isin([0, 1]),
            "tool call": (role == "tool") & ~calls.groupby(level=0).shift(fill_value=False),
            "e-mail address": content.str.contains(email),
            "API key": content.str.contains(key),
        }
        for reason, wrong in tests.items():
            found |= {(line, reason) for line in wrong.index[wrong]}
        last = group.last()
        found |= {(line, "last message") for line in last.index[last != "assistant"]}
        size = content.str.len().groupby(level=0).sum()
        found |= {(line, "too long") for line in size.index[size > 2 * 32_768]}
        text = (role + content).groupby(level=0)
        tight = content.str.replace(r"\s+", "", regex=True)
        tight = (role + tight).groupby(level=0)
        prompt = tight.agg(lambda parts: "\n".join(parts.iloc[:-1]))
        frame = pd.DataFrame(
            {"exact": text.agg("\n".join), "tight": tight.agg("\n".join), "prompt": prompt}
        )
        digests.append(frame.apply(lambda column: pd.util.hash_pandas_object(column, index=False)))
    frame = pd.concat(digests)
    exact, tight, prompt = (frame.duplicated(name) for name in frame)
    for reason, wrong in {
        "duplicate": exact,
        "duplicate but for whitespace or case": tight & ~exact,
        "contradiction": prompt & ~tight,
    }.items():
        found |= {(line, reason) for line in frame.index[wrong]}
    return found


def read_by_pandas(path):
    import pandas as pd

    for _ in pd.read_json(path, lines=True, chunksize=10_000):
        pass
    return set()


WAYS = {"finetuning.check": by_us, "pandas": by_pandas, "pandas, reading only": read_by_pandas}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--lines", type=int, default=LINES)
    options.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options.add_argument("--path", help=argparse.SUPPRESS)
    options = options.parse_args()
    if options.way:  # in a process of its own, whose memory is its own
        began, cpu = time.perf_counter(), time.process_time()
        found = WAYS[options.way](options.path)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([seconds, cpu, memory, sorted(found)]))
        return
    with tempfile.TemporaryDirectory() as folder:
        path, readable, problems = (
            Path(folder) / n for n in ("all.jsonl", "readable.jsonl", "problems")
        )
        make(path, problems, options.lines, readable)
        planted = {int(line): kind for line, kind in json.loads(problems.read_text()).items()}
        rest = (n for n in range(1, options.lines + 1) if planted.get(n) not in UNREADABLE)
        number_there = {line: n for n, line in enumerate(rest, 1)}
        print(
            f"{options.lines:,} lines, {path.stat().st_size / 1e9:.2f} GB, {len(planted):,} problems"
        )
        print(f"{'':24}{'seconds':>8}{'CPU':>8}{'MB':>8}{'found':>14}{'beyond':>8}")
        rows = []
        for way in WAYS:
            ours = way == "finetuning.check"
            done = subprocess.run(
                [sys.executable, __file__, "--way", way, "--path", str(path if ours else readable)],
                capture_output=True,
                text=True,
                check=True,
            )
            seconds, cpu, memory, found = json.loads(done.stdout)
            found = {tuple(pair) for pair in found}
            wanted = {
                (line if ours else number_there[line], kind)
                for line, kind in planted.items()
                if ours or kind not in UNREADABLE
            }
            lines = {line for line, _ in wanted}
            beyond = sum(line not in lines for line, _ in found)
            right = f"{len(found & wanted):,}/{len(wanted):,}"
            print(
                f"{way:24}{seconds:8.1f}{cpu:8.1f}{memory:8.0f}{right:>14}{beyond:8,}", flush=True
            )
            rows.append((way, f"{seconds:.1f}", f"{cpu:.1f}", f"{memory:.0f}", right, beyond))
            if ours and found & wanted != wanted:
                print("missed:", sorted(wanted - found)[:10])
    if options.lines == LINES:
        day = datetime.date.today().isoformat()
        with OUT.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("way", "seconds", "cpu", "mb", "found", "beyond", "date"))
            writer.writerows((*row, day) for row in rows)


if __name__ == "__main__":
    main()
