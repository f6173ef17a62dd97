"""`cluster.waive`: which rules a stack may turn into warnings. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from sparkform.config import Declaration
from sparkform.errors import Problem
from sparkform.rules.table import load_table


def find_waiver_problems(declaration: Declaration) -> list[Problem]:
    """Waivers of rules that do not exist, that only warn anyway, or that are waived already."""
    return list(_find_problems(declaration))


def _find_problems(declaration: Declaration) -> Iterator[Problem]:
    waived_rules: set[str] = set()
    for position, waiver in enumerate(declaration.cluster.waive):
        path = f"cluster.waive[{position}].rule"
        row = load_table().get(waiver.rule)
        if row is None:
            yield build_unknown_rule_problem(waiver.rule, path)
        elif not row.can_refuse:
            yield Problem(
                path=path,
                message="is an advisory rule, which stops nothing",
                got=waiver.rule,
                allowed="a mandatory rule",
                remedy="take the waiver out",
            )
        elif waiver.rule in waived_rules:
            yield Problem(path=path, message="is waived already", got=waiver.rule)
        waived_rules.add(waiver.rule)


def build_unknown_rule_problem(name: str, path: str) -> Problem:
    """The refusal of a rule's name, with near ones."""
    near_names = get_close_matches(name, load_table(), 3, cutoff=0.5)
    return Problem(
        path=path,
        message="is not a rule",
        got=name,
        remedy=f"did you mean {' or '.join(near_names)}?"
        if near_names
        else "docs/rules.md lists all rules",
    )


def list_waiver_reasons(declaration: Declaration) -> dict[str, str]:
    """The reason of each waived rule."""
    return {waiver.rule: waiver.reason for waiver in declaration.cluster.waive}
