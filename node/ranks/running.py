"""One rank on this node, whatever runs it, and a line of its log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SIGNALS = {134: "SIGABRT", 137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}
"""Exit codes as shells and Docker give them: 128 and the signal's number."""


@dataclass(frozen=True)
class Engine:
    """`handle` is this very run: a container's id, or a unit's invocation. Units have no token.

    `started_s` is Unix time. `exit_code` is that of a run that has ended; `killed_for_memory` by
    the kernel's OOM killer.
    """

    kind: Literal["container", "unit"]
    service: str
    name: str
    handle: str
    rank: int | None
    token: str | None
    alive: bool
    started_s: float = 0.0
    exit_code: int | None = None
    killed_for_memory: bool = False
    has_terminal: bool = False


@dataclass(frozen=True)
class Line:
    """`cursor` is where to go on reading."""

    cursor: str
    text: str


def ending(engine: Engine) -> str:
    """
    >>> ending(Engine("unit", "qwen", "sparkform-qwen", "a1", 0, None, False, 0.0, 139))
    'exit code 139 (SIGSEGV)'
    """
    if engine.killed_for_memory:
        return "killed by the kernel, which was out of memory"
    signal = SIGNALS.get(engine.exit_code or 0)
    return f"exit code {engine.exit_code}" + (f" ({signal})" if signal else "")
