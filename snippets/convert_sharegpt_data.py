# Convert ShareGPT data.
# From notebooks/08_fine_tuning_data.ipynb, section “Bring your own file”.

import json
from pathlib import Path

ROLES = {"human": "user", "gpt": "assistant"}


def from_sharegpt(line):
    turns = [(ROLES.get(t["from"], t["from"]), t["value"]) for t in line["conversations"]]
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


source, target = Path("sharegpt.jsonl"), Path("chat.jsonl")  # your file, and a new one
example = {"conversations": [{"from": "human", "value": "Open?"}, {"from": "gpt", "value": "Yes."}]}
if source.exists():
    with source.open(encoding="utf-8") as lines, target.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(from_sharegpt(json.loads(line)), ensure_ascii=False) + "\n")
print(f"{target} is written" if source.exists() else from_sharegpt(example))
