"""Runs in each kernel before the first cell: writes down what a lesson asks, and what replay answers.

A line of JSON for each cell that begins, {"cell": its source}, and for each answer in it,
{"call": {"request", "status", "answer"}}, with the file's bytes where the request uploads one.
"""

import os


def _log_calls(path):
    import base64
    import json
    import sys
    import threading

    # Line by line, since a kernel may be killed; the process closes it.
    log = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
    lock, listening = threading.Lock(), []

    def write(**line):
        log.write(json.dumps(line, ensure_ascii=False) + "\n")

    def begin_cell(info):
        write(cell=info.raw_cell)
        # The first cell of a lesson imports the helpers, and asks for nothing.
        if "helpers.replay.player" in sys.modules and not listening:
            listen(sys.modules["helpers.replay.player"].Player)

    def listen(player_type):
        listening.append(answer := player_type.answer)

        def answer_and_log(player, lib, request):
            with lock:
                calls, count = [], player.on_answer
                player.on_answer = lambda *call: (calls.append(call), count(*call))
                try:
                    response = answer(player, lib, request)
                finally:
                    player.on_answer = count
                ((sent, status, body, _),) = calls
                call = {"request": sent, "status": status, "answer": body}
                kind = request.headers.get("content-type", "")
                if kind.startswith("multipart/"):
                    call["upload"] = [kind, base64.b64encode(request.content).decode()]
                write(call=call)
            return response

        player_type.answer = answer_and_log

    get_ipython().events.register("pre_run_cell", begin_cell)  # noqa: F821


if "CALLS_LOG" in os.environ:
    _log_calls(os.environ["CALLS_LOG"])
del _log_calls, os
