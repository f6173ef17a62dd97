"""Fact `logind`: {"remove_ipc": true}, the value that logind runs with.

With it on, logind deletes a user's shared memory at logout, under a running engine.
"""

from __future__ import annotations

from node.facts.reading import FactReader, Request, UnreadableFact

OBJECT = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")


def read(reader: FactReader, request: Request) -> object:
    return parse(answer=reader.command("busctl", "get-property", *OBJECT, "RemoveIPC"))


def parse(answer: str) -> object:
    values = {"b true": True, "b false": False}
    if answer.strip() not in values:
        raise UnreadableFact("busctl: no truth value for RemoveIPC")
    return {"remove_ipc": values[answer.strip()]}
