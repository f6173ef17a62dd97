"""Fact `logind`: {"remove_ipc": true}, the value that logind runs with.

With it on, logind deletes a user's shared memory at logout, under a running engine.
"""

from __future__ import annotations

from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact

OBJECT = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")


class LogindFact(TypedDict):
    remove_ipc: bool


def read(reader: FactReader, request: FactRequest) -> LogindFact:
    return parse(answer=reader.run_command("busctl", "get-property", *OBJECT, "RemoveIPC"))


def parse(answer: str) -> LogindFact:
    values = {"b true": True, "b false": False}
    if answer.strip() not in values:
        raise UnreadableFact("busctl: no truth value for RemoveIPC")
    return {"remove_ipc": values[answer.strip()]}
