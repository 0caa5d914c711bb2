"""Runs snippets, each in a process of its own, forked from this one, in which the helpers are loaded.

With the argument "mistral", Mistral's packages are loaded as well, which each process takes apart when it ends.
Reads lines [lesson, script, folder] of JSON, answers each with [exit code, what it printed on stderr].
`start` stands outside the copied code: it is what replaces the network here.
"""

import functools
import gc
import json
import os
import runpy
import signal
import sys
from pathlib import Path

import httpx
import httpx2  # noqa: F401, which `start` imports

import helpers
import helpers.modes

LONGEST = 60


def run(lesson, script, folder):
    """In the child: run the script, and end with its exit code."""
    signal.alarm(LONGEST)
    os.chdir(folder)
    sys.stdin.close()
    for name, stream in (("stdout", sys.stdout), ("stderr", sys.stderr)):
        os.dup2(os.open(Path(folder, name), os.O_WRONLY | os.O_CREAT), stream.fileno())
    # As for `python script.py`: what it left open shows up when the process ends.
    helpers.start(lesson)
    # What `start` printed is not the snippet's.
    sys.stdout.flush()
    os.ftruncate(sys.stdout.fileno(), os.lseek(sys.stdout.fileno(), 0, os.SEEK_SET))
    sys.argv = [script]
    runpy.run_path(script, run_name="__main__")


def load_mistral():
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
    from mistralai.client import Mistral

    Mistral(api_key="none").chat  # noqa: B018, which loads more
    # Reading its 130,000 tokens takes a second.
    MistralTokenizer.v3 = functools.cache(MistralTokenizer.v3)
    MistralTokenizer.v3(is_tekken=True)


def main():
    # It loads more when it is first used.
    httpx.Client().close()
    if "mistral" in sys.argv:
        load_mistral()
    # Else each process walks through all that is loaded here, and so copies it, when it ends.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        lesson, script, folder = json.loads(line)
        if (child := os.fork()) == 0:
            run(lesson, script, folder)
            return
        _, status = os.waitpid(child, 0)
        errors = Path(folder, "stderr").read_text("utf-8")
        print(json.dumps([os.waitstatus_to_exitcode(status), errors]), flush=True)


main()
