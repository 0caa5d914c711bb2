# Convert ShareGPT data.
# From notebooks/08_fine_tuning_data.ipynb, section “Bring your own file”.

import json
from pathlib import Path

ROLES = {"human": "user", "gpt": "assistant"} | {r: r for r in ("system", "user", "assistant")}


def from_sharegpt(line):
    turns = [{"from": "system", "value": line["system"]}] if line.get("system") else []
    turns += line["conversations"]
    return {"messages": [{"role": ROLES[t["from"]], "content": t["value"]} for t in turns]}


source, target = Path("sharegpt.jsonl"), Path("chat.jsonl")  # your file, and a new one
example = {"conversations": [{"from": "human", "value": "Open?"}, {"from": "gpt", "value": "Yes."}]}
if source.exists():
    chats = []
    for number, line in enumerate(source.read_text("utf-8").split("\n"), 1):
        try:
            chats += [from_sharegpt(json.loads(line))] if line.strip() else []
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"line {number}: {error!r}") from error
    texts = [json.dumps(chat, ensure_ascii=False) for chat in chats]
    target.write_text("\n".join(texts) + "\n", "utf-8")
print(f"{target} is written" if source.exists() else from_sharegpt(example))
