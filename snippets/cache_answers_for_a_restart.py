# Cache answers for a restart.
# From notebooks/12_many_calls.ipynb, section “Save each answer”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.
# Replace :memory: with the name of a file: what is in memory is gone after a restart.

import json
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Lock

import httpx

http = httpx.Client(base_url="https://api.mistral.ai/v1", timeout=60)
http.headers["Authorization"] = f"Bearer {os.environ['MISTRAL_API_KEY']}"
file, lock = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False), Lock()
file.execute("CREATE TABLE IF NOT EXISTS calls (request PRIMARY KEY, answer TEXT)")


def ask_and_keep(request):
    response = http.post("/chat/completions", json=json.loads(request)).raise_for_status()
    answer = response.json()["choices"][0]["message"]["content"]
    with lock:
        file.execute("INSERT INTO calls VALUES (?, ?)", (request, answer))
    known[request] = answer


messages = [{"role": "user", "content": f"What is {n} * 37? Just the number."} for n in range(1, 9)]
wanted = [json.dumps({"model": "mistral-small-latest", "messages": [each]}) for each in messages]
known = dict(file.execute("SELECT request, answer FROM calls"))
pool = ThreadPoolExecutor(4)
todo = [
    pool.submit(ask_and_keep, request) for request in dict.fromkeys(wanted) if request not in known
]
try:
    wait(todo)
finally:
    pool.shutdown(cancel_futures=True)  # else Ctrl-C asks, and pays for, all the rest
print("Failed:", [future.exception() for future in todo if future.exception()])
print([known.get(request) for request in wanted])
