#!/usr/bin/python3
"""Stands in for `python3` under sudo on a node, and stops one run of the node program on its way.

Tests plant it in a folder that sudo searches first (tests/support/pausing.py); the product knows
nothing of it. Every run is noted. The one that `ORDER` names runs below an audit hook, which
Python calls before each effect (PEP 578): at the effect of the order the process stops itself by
SIGSTOP, says so, and goes on at SIGCONT. Every other run goes to the real python3 at once.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys

PYTHON = "/usr/bin/python3"
PLACE = "/run/pausing-python"
ORDER = f"{PLACE}/order.json"
RUNS = f"{PLACE}/runs"
STOPPED = f"{PLACE}/stopped.json"
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.chown")
CALLS = ("subprocess.Popen", "socket.connect")


def told(event: str, facts: tuple[object, ...]) -> str | None:
    """What is about to happen, in a line; None for what changes nothing."""
    if event == "open":
        path, _, flags = facts
        is_written = isinstance(path, str) and isinstance(flags, int) and flags & WRITING
        return f"open {path}" if is_written else None
    if event in CHANGES:
        return f"{event} {facts[0]!s}"
    if event == "subprocess.Popen":
        return f"run {' '.join(map(str, facts[1]))}"  # type: ignore[call-overload]
    return f"connect {facts[1]!s}" if event in CALLS else None


class Watch:
    """Stops `later` effects after the one that is the `times`-th to hold `text`."""

    def __init__(self, text: str, times: int, later: int) -> None:
        self.text, self.times, self.later = text, times, later
        self.is_stopping = False

    def __call__(self, event: str, facts: tuple[object, ...]) -> None:
        if self.is_stopping or (effect := told(event, facts)) is None:
            return
        if self.times:
            self.times -= self.text in effect
        else:
            self.later -= 1
        if self.times == 0 and self.later == 0:
            self.stop(effect)

    def stop(self, effect: str) -> None:
        self.is_stopping = True
        with open(f"{STOPPED}.draft", "w") as file:
            json.dump({"pid": os.getpid(), "before": effect}, file)
        os.rename(f"{STOPPED}.draft", STOPPED)
        os.kill(os.getpid(), signal.SIGSTOP)


def ordered(words: list[str]) -> Watch | None:
    """The order, if it is about this run; it is gone then, so that it is about no second one."""
    try:
        with open(ORDER) as file:
            order = json.load(file)
    except OSError:
        return None
    if words != order["words"]:
        return None
    os.remove(ORDER)
    return Watch(order["text"], order["times"], order["later"])


def run(words: list[str], watch: Watch) -> None:
    sys.argv = words
    sys.addaudithook(watch)
    runpy.run_path(words[0], run_name="__main__")


def main(words: list[str]) -> None:
    if words[0] == "-c" and "install" in words[1]:
        # The program that comes on stdin is started by this interpreter again, not by the real one.
        sys.executable = os.path.abspath(__file__)
        exec(compile(words[1], "<install>", "exec"), {"__name__": "__main__"})
    verb = words[1:] if words[0] != "-c" and not words[0].startswith("-") else ["observe"]
    os.makedirs(PLACE, exist_ok=True)
    with open(RUNS, "a") as file:
        file.write(f"{' '.join(verb)}\n")
    watch = ordered(verb)
    if watch is None:
        os.execv(PYTHON, [PYTHON, *words])
    run(words, watch)


if __name__ == "__main__":
    main(sys.argv[1:])
