"""Watches the API's wire: asks one cheap request per recorded shape, and reports what has another shape.

Run by `make watch`; needs a key and costs what it says first. It compares statuses, header names,
fields and types with the recordings, never texts: words and numbers may differ each time.
"""

import argparse
import sys
from pathlib import Path

import httpx

import helpers
from helpers.costs.prices import UnknownPrice
from helpers.keys import api_key, find_key
from helpers.replay.recorder import is_kept
from helpers.replay.recordings import Recordings
from helpers.replay.wire import to_events, unpack
from helpers.reply import read_usage

ROOT = Path(__file__).parent.parent.parent
# Can't be provoked by one request, or are no more.
LEFT_OUT = ("429", "5", "/v1/files", "/v1/fine_tuning", "/v1/batch")


def shape(value, at=""):
    """The fields of JSON with their types: {("usage.total_tokens", "number"), …}; items of a list are one."""
    if isinstance(value, dict):
        inside = [shape(part, f"{at}.{name}".lstrip(".")) for name, part in value.items()]
        return {(at, "object")}.union(*inside)
    if isinstance(value, list):
        return {(at, "list")}.union(*(shape(part, f"{at}[]") for part in value))
    kinds = {bool: "true or false", int: "number", float: "number", str: "text"}
    return {(at, kinds.get(type(value), "null"))}


def differences(recorded, new):
    """In words, how the shape of one body differs from that of another."""
    old, now = fields(recorded), fields(new)
    found = [f"new field {name}" for name in now.keys() - old.keys()]
    found += [f"no field {name}" for name in old.keys() - now.keys()]
    for name in old.keys() & now.keys():
        # A null leaves open what else could stand there.
        if (was := old[name] - {"null"}) and (got := now[name] - {"null"}) and was != got:
            found.append(
                f"{name}: {' or '.join(sorted(got))} instead of {' or '.join(sorted(was))}"
            )
    return sorted(found)


def fields(body):
    found = {}
    for name, kind in shape(body):
        found.setdefault(name, set()).add(kind)
    return found


def cheapest(items):
    """One request for each kind of request and status: the one with the fewest tokens."""
    found = {}
    for item in items:
        asked, got = item["request"], item["response"]
        key = asked["method"], asked["path"], got["status"], asked.get("key")
        key += (tuple(sorted(asked["body"] or {})) if isinstance(asked["body"], dict) else None,)
        if str(got["status"]).startswith(LEFT_OUT[:2]) or asked["path"].startswith(LEFT_OUT[2:]):
            continue
        if key not in found or tokens(item) < tokens(found[key]):
            found[key] = item
    return list(found.values())


def body_of(response):
    """What is compared: the body, or for a stream the list of its chunks."""
    if "events" not in response:
        return unpack(response.get("body"))
    return [event["data"] for event in response["events"] if isinstance(event["data"], dict)]


def tokens(item):
    return read_usage(item["response"]).total_tokens


def price_of(items):
    """What these requests cost, as far as their models have a price."""
    total = 0.0
    for item in items:
        if count := tokens(item):
            try:
                # As output, which costs more.
                priced = helpers.price((0, count), item["request"]["body"]["model"])
            except UnknownPrice:
                continue
            total += priced.usd or 0
    return total


def ask(client, item, key):
    """(status, header names, body) of the same request, asked now."""
    asked = item["request"]
    sent = {"none": None, "other": f"Bearer {'x' * 32}"}.get(asked.get("key"), f"Bearer {key}")
    headers = {"authorization": sent} if sent else {}
    response = client.request(
        asked["method"], asked["path"].removeprefix("/v1"), headers=headers, json=asked["body"]
    )
    names = {name.lower() for name in response.headers if is_kept(name)}
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        recorded = {"events": to_events([(0.0, response.content)])}
        return response.status_code, names, body_of(recorded)
    try:
        return response.status_code, names, response.json()
    except ValueError:
        return response.status_code, names, response.text


def compare(client, item, key):
    """In words, all that is different in the answer to one request."""
    status, names, body = ask(client, item, key)
    recorded = item["response"]
    if status != recorded["status"]:
        return [f"status {status} instead of {recorded['status']}"]
    old = {name.lower() for name in recorded["headers"]}
    found = [f"new header {name}" for name in sorted(names - old)]
    found += [f"no header {name}" for name in sorted(old - names)]
    return found + differences(body_of(recorded), body)


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--yes", action="store_true", help="do not ask before spending money")
    parser.add_argument("--url", default="https://api.mistral.ai/v1", help="default: %(default)s")
    args = parser.parse_args()
    find_key(ROOT / ".env")
    key = api_key()
    paths = sorted((ROOT / "data" / "recordings").glob("*.json"))
    items = cheapest(item for path in paths for item in Recordings.load(path))
    print(f"{len(items)} requests, at most ${price_of(items):.4f}.")
    if not args.yes and input("Send them? [y/N] ").strip().lower() != "y":
        sys.exit("No request was sent, no money was spent.")
    changed = 0
    with httpx.Client(base_url=args.url, timeout=60) as client:
        for item in items:
            asked = item["request"]
            if found := compare(client, item, key):
                changed += 1
                given = sorted(asked["body"]) if isinstance(asked["body"], dict) else []
                print(f"{asked['method']} {asked['path']} ({', '.join(given)}):")
                print("\n".join(f"  {line}" for line in found))
    print(f"{changed} of {len(items)} answers have another shape than recorded.")
    sys.exit(min(changed, 1))


if __name__ == "__main__":
    main()
