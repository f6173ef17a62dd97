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
FOLDER = "/run/pausing-python"
ORDER = f"{FOLDER}/order.json"
RUNS = f"{FOLDER}/runs"
STOPPED = f"{FOLDER}/stopped.json"
WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGE_EVENTS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.chown")
CALL_EVENTS = ("subprocess.Popen", "socket.connect")


def describe_effect(event: str, facts: tuple[object, ...]) -> str | None:
    """What is about to happen, in a line; None for what changes nothing."""
    if event == "open":
        path, _, flags = facts
        is_written = isinstance(path, str) and isinstance(flags, int) and flags & WRITE_FLAGS
        return f"open {path}" if is_written else None
    if event in CHANGE_EVENTS:
        return f"{event} {facts[0]!s}"
    if event == "subprocess.Popen":
        return f"run {' '.join(map(str, facts[1]))}"  # type: ignore[call-overload]
    return f"connect {facts[1]!s}" if event in CALL_EVENTS else None


class EffectWatch:
    """Stops `later` effects after the one that is the `times`-th to hold `text`."""

    def __init__(self, text: str, times: int, later: int) -> None:
        self.text, self.times, self.later = text, times, later
        self.is_stopping = False

    def __call__(self, event: str, facts: tuple[object, ...]) -> None:
        if self.is_stopping or (effect := describe_effect(event, facts)) is None:
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


def take_order(arguments: list[str]) -> EffectWatch | None:
    """The order, if it is about this run; it is gone then, so that it is about no second one."""
    try:
        with open(ORDER) as file:
            order = json.load(file)
    except OSError:
        return None
    if arguments != order["run"]:
        return None
    os.remove(ORDER)
    return EffectWatch(order["text"], order["times"], order["later"])


def run(arguments: list[str], watch: EffectWatch) -> None:
    sys.argv = arguments
    sys.addaudithook(watch)
    runpy.run_path(arguments[0], run_name="__main__")


def main(arguments: list[str]) -> None:
    if arguments[0] == "-c" and "install" in arguments[1]:
        # The program that comes on stdin is started by this interpreter again, not by the real one.
        sys.executable = os.path.abspath(__file__)
        exec(compile(arguments[1], "<install>", "exec"), {"__name__": "__main__"})
    verb = (
        arguments[1:] if arguments[0] != "-c" and not arguments[0].startswith("-") else ["observe"]
    )
    os.makedirs(FOLDER, exist_ok=True)
    with open(RUNS, "a") as file:
        file.write(f"{' '.join(verb)}\n")
    watch = take_order(verb)
    if watch is None:
        os.execv(PYTHON, [PYTHON, *arguments])
    run(arguments, watch)


if __name__ == "__main__":
    main(sys.argv[1:])
