"""Running verbs against a fake Spark, and killing them at every effect in turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from node.host.paths import LOCK
from node.host.system import System
from node.host.typed_json import to_fields
from node.steps import HaveT, ObservedT, StepRequest, StepSpec, WantT
from node.verbs import apply, undo
from tests.support.fake_spark import FakeSpark
from tests.support.fake_system import Killed, read_tree

LOCK_PATH = LOCK.lstrip("/")
SparkMaker = Callable[[], FakeSpark]


def format_owner(step: str, node: str = "spark-1") -> str:
    return f"spark/demo/{node}/{step}"


def build_document(step: str, want: object, run: int = 1, node: str = "spark-1") -> str:
    """`want`: the step's own, or its JSON. Keys are sorted, as those that a plan sends are."""
    document = {"want": to_fields(want), "have": None, "run": run}
    return json.dumps({"owner": format_owner(step, node), **document}, sort_keys=True)


def read_have(
    spec: StepSpec[WantT, ObservedT, HaveT], system: System, want: WantT, **request: Any
) -> HaveT:
    """What there is now, in want's terms. `request`: fields of StepRequest."""
    return spec.narrow(spec.observe(system, StepRequest(**request)), want)


def list_differences(
    spec: StepSpec[WantT, ObservedT, HaveT], system: System, want: WantT, **request: Any
) -> list[str]:
    """What a preview says of the step."""
    return spec.compare(read_have(spec, system, want, **request), want)


def run_apply(system: System, step: str, want: object, secret: str = "", run: int = 1) -> list[str]:
    return apply.main(
        system, [step], build_document(step, want, run) + (f"\n{secret}" if secret else "")
    )


def undo_all(system: System) -> list[str]:
    return undo.main(system, ["--all"], "")


def take_snapshot(spark: FakeSpark) -> object:
    """All that a change could show in: files with modes, and what commands changed. The lock's file
    says who held it last, to the second."""
    tree = read_tree(spark.system)
    if LOCK_PATH in tree:
        tree[LOCK_PATH] = (*tree[LOCK_PATH][:2], b"")
    return [tree, json.dumps(spark.get_state(), sort_keys=True, default=str)]


def run_lives(make_spark: SparkMaker, act: Callable[[FakeSpark], object]) -> Iterator[FakeSpark]:
    """One machine for each effect of `act`, killed at that effect; the last one lived through."""
    death_effect = 1
    while True:
        spark = make_spark()
        spark.system.script.effects, spark.system.script.die_at = 0, death_effect
        with suppress(Killed):
            act(spark)
        survived = spark.system.script.effects < death_effect
        spark.system.script.die_at = None
        yield spark
        if survived:
            return
        death_effect += 1
