"""`cluster.waive`: which rules a stack may turn into warnings. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from sparkform.config import Spec
from sparkform.errors import Problem
from sparkform.rules.table import table


def waiver_problems(spec: Spec) -> list[Problem]:
    """Waivers of rules that do not exist, that only warn anyway, or that are waived already."""
    return list(_problems(spec))


def _problems(spec: Spec) -> Iterator[Problem]:
    seen: set[str] = set()
    for at, waiver in enumerate(spec.cluster.waive):
        path = f"cluster.waive[{at}].rule"
        row = table().get(waiver.rule)
        if row is None:
            yield unknown_rule(waiver.rule, path)
        elif not row.can_refuse:
            yield Problem(
                path=path,
                what="is an advisory rule, which stops nothing",
                got=waiver.rule,
                allowed="a mandatory rule",
                remedy="take the waiver out",
            )
        elif waiver.rule in seen:
            yield Problem(path=path, what="is waived already", got=waiver.rule)
        seen.add(waiver.rule)


def unknown_rule(name: str, path: str) -> Problem:
    """The refusal of a rule's name, with near ones."""
    near = get_close_matches(name, table(), 3, cutoff=0.5)
    return Problem(
        path=path,
        what="is not a rule",
        got=name,
        remedy=f"did you mean {' or '.join(near)}?" if near else "docs/rules.md lists all rules",
    )


def reasons(spec: Spec) -> dict[str, str]:
    """The reason of each waived rule."""
    return {waiver.rule: waiver.reason for waiver in spec.cluster.waive}
