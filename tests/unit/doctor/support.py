"""Diagnoses of recorded racks, and the rows in them."""

from __future__ import annotations

from sparkform.config import Declaration
from sparkform.doctor import Check, diagnose
from sparkform.report.rack_report import Observation
from tests.support.recorded import (
    STACK,
    SWARM,
    UP,
    Key,
    build_rack_declaration,
    change_report,
    get_recorded_agent,
    load_recording,
)


def diagnose_recording(
    observation: Observation, declaration: Declaration | None = None
) -> tuple[Check, ...]:
    return diagnose(
        declaration or build_rack_declaration(**SWARM),
        STACK,
        observation,
        get_recorded_agent(load_recording(UP)),
    )


def list_rows(checks: tuple[Check, ...], node: str | None, name: str) -> list[Check]:
    return [check for check in checks if (check.node, check.name) == (node, name)]


def get_row(checks: tuple[Check, ...], node: str | None, name: str) -> Check:
    (check,) = list_rows(checks, node, name)
    return check


def diagnose_change(
    key_path: list[Key], value: object, declaration: Declaration | None = None
) -> tuple[Check, ...]:
    """The healthy rack with one value of spark-2 changed."""
    return diagnose_recording(
        change_report(load_recording(UP), "spark-2", key_path, value), declaration
    )


def list_problem_rows(checks: tuple[Check, ...]) -> set[tuple[str | None, str, str]]:
    return {(check.node, check.name, check.status) for check in checks if check.status != "ok"}
