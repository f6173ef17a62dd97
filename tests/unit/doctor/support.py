"""Diagnoses of recorded racks, and the rows in them."""

from __future__ import annotations

from typing import Any

from sparkform.config import Spec
from sparkform.doctor import Check, diagnose
from sparkform.report.rack_report import Observation
from tests.support.recorded import STACK, SWARM, UP, Key, changed, program_of, rack_spec, recording


def checks_of(seen: Observation, spec: Spec | None = None) -> tuple[Check, ...]:
    return diagnose(spec or rack_spec(**SWARM), STACK, seen, program_of(recording(UP)))


def rows(checks: tuple[Check, ...], node: str | None, name: str) -> list[Check]:
    return [check for check in checks if (check.node, check.name) == (node, name)]


def row(checks: tuple[Check, ...], node: str | None, name: str) -> Check:
    (found,) = rows(checks, node, name)
    return found


def after_change(place: list[Key], value: Any, spec: Spec | None = None) -> tuple[Check, ...]:
    """The healthy rack with one value of spark-2 changed."""
    return checks_of(changed(recording(UP), "spark-2", place, value), spec)


def not_ok(checks: tuple[Check, ...]) -> set[tuple[str | None, str, str]]:
    return {(one.node, one.name, one.status) for one in checks if one.status != "ok"}
