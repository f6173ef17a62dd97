"""Fact `container_toolkit`: {"version": "1.18.0"}, of the NVIDIA Container Toolkit."""

from __future__ import annotations

import re

from node.facts.reading import Look, Request, Unreadable

_VERSION = re.compile(r"CLI version ([0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.~-]*)", re.ASCII)


def read(look: Look, request: Request) -> object:
    return parse(version=look.command("nvidia-ctk", "--version"))


def parse(version: str) -> object:
    found = _VERSION.search(version)
    if not found:
        raise Unreadable("nvidia-ctk: no version in the answer")
    return {"version": found.group(1)}
