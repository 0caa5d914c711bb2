# Send a batch job.
# From notebooks/12_many_calls.ipynb, section “The Batch API”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import os
import time

import httpx

good = {"messages": [{"role": "user", "content": "What is 6 * 7? Just the number."}]}
job = {"endpoint": "/v1/chat/completions", "model": "mistral-small-latest"}
job["requests"] = [{"custom_id": f"at {t}", "body": {**good, "temperature": t}} for t in (0, 1, 3)]
http = httpx.Client(base_url="https://api.mistral.ai/v1", timeout=60)
http.headers["Authorization"] = f"Bearer {os.environ['MISTRAL_API_KEY']}"
job = http.post("/batch/jobs", json=job).raise_for_status().json()
while job["status"] in ("QUEUED", "RUNNING"):
    time.sleep(0.25)
    job = http.get(f"/batch/jobs/{job['id']}").raise_for_status().json()
print(job["status"], job["succeeded_requests"], "good,", job["failed_requests"], "failed")
for result in job["outputs"] or []:
    body = (result["response"] or {}).get("body", {})
    print(result["custom_id"], body.get("choices"), result["error"])
