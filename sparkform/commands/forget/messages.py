"""What is said before and after a node is forgotten. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from node.host.paths import ZIPAPP
from sparkform.config import Declaration
from sparkform.errors import InputError, Problem
from sparkform.report.rack_report import QueryResult

GONE = ("unresolved", "unreachable")
"""Errors of a machine that is not there; all others come from one that is on."""


def require_known(node: str, known: Collection[str]) -> None:
    """Raises InputError for a node that the stack's state does not hold."""
    if node not in known:
        allowed = ", ".join(known) or "none: nothing was brought up yet"
        problem = Problem(path="NODE", message="is not in the state", got=node, allowed=allowed)
        raise InputError([problem])


def require_not_head(node: str, declaration: Declaration) -> None:
    """Raises InputError for the first node of the stack file, which leads all others."""
    if node == declaration.head.name:
        raise InputError(
            [
                Problem(
                    path="NODE",
                    message="is the head",
                    got=node,
                    because="the others form the Swarm with it and services start from it",
                    remedy="put another node first in the stack file (give each its index, so that "
                    "addresses stay), or `pulumi stack rm --force` if the whole rack is gone",
                )
            ]
        )


def require_gone(node: str, place: str, report: QueryResult) -> None:
    """Raises InputError for a machine that is on: it can be given back in order."""
    kind = report.error.kind if report.error else None
    if kind in GONE:
        return
    evidence = report.error.what.rstrip(".") if report.error else f"{place} answers"
    raise InputError(
        [
            Problem(
                path="NODE",
                message=f"{node} is still there: {evidence}",
                because="what is on it would stay on it, and no stack would know",
                remedy="take it out of the stack file and run `pulumi up`, which gives it back; or "
                "say --even-if-it-answers, for a machine that was installed anew",
            )
        ]
    )


def format_warning(node: str, names: Sequence[str], declared: Mapping[str, Any]) -> str:
    host = declared.get("host", "its address")
    return "\n".join(
        [
            f"{node} ({host}) goes out of the state, with {len(names)} resources:",
            *(f"  {name}" for name in names),
            "Nothing is run on it, and nothing on the other nodes.",
        ]
    )


def after(node: str, declaration: Declaration, file: str, backup: str) -> str:
    is_declared = node in [declared_node.name for declared_node in declaration.nodes]
    steps = [f"The state as it was is in {backup}; keep it until the next `pulumi up` went well."]
    if is_declared:
        steps.append(
            f"Take {node} out of `nodes` in {file}, and give the others their `index`, so that "
            "addresses stay."
        )
    steps += [
        "`pulumi up`: the other nodes stop expecting it, and it goes out of the Swarm.",
        f"If {node} ever comes back, it still has our files, addresses and claim. On it, before "
        f"its cables go in: `sudo python3 {ZIPAPP} undo --all`, again "
        "if it says so: it leaves its Swarm only once dockerd is up.",
    ]
    return "\n".join(f"{number}. {text}" for number, text in enumerate(steps, 1))
