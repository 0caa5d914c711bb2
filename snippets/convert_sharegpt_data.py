# Convert ShareGPT data.
# From notebooks/08_fine_tuning_data.ipynb, section “Bring your own file”.
# Running it prints nothing: it defines from_sharegpt, for you to call.

import json
from pathlib import Path

ROLES = {"human": "user", "gpt": "assistant"}


def from_sharegpt(line):
    turns = line["conversations"]
    messages = [{"role": ROLES.get(t["from"], t["from"]), "content": t["value"]} for t in turns]
    return {"messages": messages}


source, target = Path("sharegpt.jsonl"), Path("chat.jsonl")  # your file, and a new one
if source.exists():
    with source.open(encoding="utf-8") as lines, target.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(from_sharegpt(json.loads(line)), ensure_ascii=False) + "\n")
