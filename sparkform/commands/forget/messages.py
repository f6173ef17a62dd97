"""What is printed before and after a node is forgotten, and why it may be refused. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from node.host.paths import ZIPAPP
from sparkform.config import Declaration
from sparkform.errors import InputError, Problem
from sparkform.report.rack_report import QueryResult

GONE = ("unresolved", "unreachable")
"""Errors of a machine that is not there; all others come from one that is on."""


def require_known(node: str, known: Collection[str]) -> None:
    """Raises InputError for a node that the stack's state does not hold."""
    if node not in known:
        allowed = ", ".join(known) or "none: nothing was deployed yet"
        problem = Problem(path="NODE", message="is not in the state", got=node, allowed=allowed)
        raise InputError([problem])


def require_not_head(node: str, declaration: Declaration) -> None:
    """Raises InputError for the first node of the stack file, which leads all others."""
    if node == declaration.head.name:
        problem = Problem(
            path="NODE",
            message="is the head",
            got=node,
            because="the others form the Swarm with it and services start from it",
            remedy="put another node first in the stack file (give each its index, so that "
            "addresses stay), or run `pulumi stack rm --force` if the whole rack is gone",
        )
        raise InputError([problem])


def require_gone(node: str, address: str, result: QueryResult) -> None:
    """Raises InputError for a machine that is on: it can be given back in order."""
    kind = result.error.kind if result.error else None
    if kind in GONE:
        return
    evidence = result.error.what.rstrip(".") if result.error else f"{address} answers"
    problem = Problem(
        path="NODE",
        message=f"{node} is not gone: {evidence}",
        because="the changes made to it would stay, and no stack would know of them",
        remedy="remove it from the stack file and run `pulumi up`, which restores the machine; or "
        "use --force if the machine was reinstalled",
    )
    raise InputError([problem])


def format_warning(node: str, names: Sequence[str], inputs: Mapping[str, object]) -> str:
    host = inputs.get("host", "its address")
    return "\n".join(
        [
            f"{node} ({host}) will be removed from the state, with {len(names)} resources:",
            *(f"  {name}" for name in names),
            "Nothing runs on it or on the other nodes.",
        ]
    )


def format_next_steps(node: str, declaration: Declaration, file: str, backup: str) -> str:
    is_declared = node in [declared_node.name for declared_node in declaration.nodes]
    steps = [f"The previous state is in {backup}; keep it until the next `pulumi up` succeeds."]
    if is_declared:
        steps.append(
            f"Remove {node} from `nodes` in {file}, and give the others their `index`, so that "
            "addresses stay."
        )
    steps += [
        "Run `pulumi up`: the other nodes stop expecting it, and it leaves the Swarm's list.",
        f"If {node} ever comes back, it still has our files, addresses and claim. Before its "
        f"cables go in, run on it: `sudo python3 {ZIPAPP} undo --all`; repeat it "
        "if it says so: it leaves its Swarm only once dockerd is up.",
    ]
    return "\n".join(f"{number}. {text}" for number, text in enumerate(steps, 1))
