# Convert ShareGPT data.
# From notebooks/08_fine_tuning_data.ipynb, section “Bring your own file”.
# Running it prints nothing: it defines from_sharegpt, for you to call.

ROLES = {"human": "user", "gpt": "assistant", "system": "system"}


def from_sharegpt(line):
    turns = [{"role": ROLES[t["from"]], "content": t["value"]} for t in line["conversations"]]
    return {"messages": turns}
