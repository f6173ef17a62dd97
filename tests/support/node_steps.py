"""Running verbs against a fake Spark, and killing them at every effect in turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from node.host.paths import LOCK
from node.host.system import System
from node.verbs import apply, undo
from tests.support.fake_spark import FakeSpark
from tests.support.fake_system import Killed, tree_of

HELD = LOCK.lstrip("/")
Maker = Callable[[], FakeSpark]


def owner_of(step: str, node: str = "spark-1") -> str:
    return f"spark/demo/{node}/{step}"


def document(step: str, want: Mapping[str, Any], run: int = 1, node: str = "spark-1") -> str:
    return json.dumps({"owner": owner_of(step, node), "want": want, "have": None, "run": run})


def run_apply(
    system: System, step: str, want: Mapping[str, Any], secret: str = "", run: int = 1
) -> list[str]:
    return apply.main(system, [step], document(step, want, run) + (f"\n{secret}" if secret else ""))


def undo_all(system: System) -> list[str]:
    return undo.main(system, ["--all"], "")


def picture(one: FakeSpark) -> object:
    """All that a change could show in: files with modes, and what commands changed. The lock's file
    says who held it last, to the second."""
    tree = tree_of(one.system)
    if HELD in tree:
        tree[HELD] = (*tree[HELD][:2], b"")
    return [tree, json.dumps(one.state(), sort_keys=True, default=str)]


def lives(make: Maker, act: Callable[[FakeSpark], object]) -> Iterator[FakeSpark]:
    """One machine for each effect of `act`, killed at that effect; the last one lived through."""
    death = 1
    while True:
        one = make()
        one.system.script.effects, one.system.script.die_at = 0, death
        with suppress(Killed):
            act(one)
        survived = one.system.script.effects < death
        one.system.script.die_at = None
        yield one
        if survived:
            return
        death += 1
