"""Which stack a node belongs to: two stacks on one node would undo each other's work."""

from __future__ import annotations

from node.errors import Refusal
from node.host.paths import CLAIM
from node.host.system import System


def owner(system: System) -> str | None:
    """`<project>/<stack>`, or None on a node that no stack has."""
    text = system.read(CLAIM)
    return text.strip() or None if text is not None else None


def stack_of(step_owner: str) -> str:
    """`<project>/<stack>` of `<project>/<stack>/<node>/<step>`.

    >>> stack_of("spark/demo/spark-1/nccl_conf")
    'spark/demo'
    """
    return "/".join(step_owner.split("/")[:2])


def require(system: System, step_owner: str) -> None:
    """Raises Refusal where the node belongs to another stack, or to none."""
    found = owner(system)
    if found is None:
        raise Refusal("No stack has claimed this node yet; run `pulumi up`, which installs first.")
    if found != stack_of(step_owner):
        raise Refusal(another(found, step_owner))


def require_free(system: System, step_owner: str) -> None:
    """Raises Refusal where another stack has the node."""
    found = owner(system)
    if found not in (None, stack_of(step_owner)):
        raise Refusal(another(str(found), step_owner))


def take(system: System, step_owner: str) -> None:
    """Claim a free node. Raises Refusal where another stack has it."""
    require_free(system, step_owner)
    if owner(system) is None:
        system.write(CLAIM, stack_of(step_owner) + "\n")


def another(found: str, step_owner: str) -> str:
    return (
        f"This node belongs to stack {found}, not to {stack_of(step_owner)}. "
        f"Run `pulumi destroy` in {found} first, or leave the node out here."
    )
