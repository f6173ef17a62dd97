"""Which stack a node belongs to: two stacks on one node would undo each other's work."""

from __future__ import annotations

from node.errors import StepError
from node.host.paths import CLAIM
from node.host.system import System


def read_owner(system: System) -> str | None:
    """`<project>/<stack>`, or None on a node that no stack has."""
    text = system.read(CLAIM)
    return text.strip() or None if text is not None else None


def get_stack(step_owner: str) -> str:
    """`<project>/<stack>` of `<project>/<stack>/<node>/<step>`.

    >>> get_stack("spark/demo/spark-1/nccl_conf")
    'spark/demo'
    """
    return "/".join(step_owner.split("/")[:2])


def require_claimed(system: System, step_owner: str) -> None:
    """Raises StepError where the node belongs to another stack, or to none."""
    claimed_by = read_owner(system)
    if claimed_by is None:
        raise StepError("This node is not claimed by any stack; run `pulumi up`.")
    if claimed_by != get_stack(step_owner):
        raise StepError(format_conflict(claimed_by, step_owner))


def require_free(system: System, step_owner: str) -> None:
    """Raises StepError where another stack has the node."""
    claimed_by = read_owner(system)
    if claimed_by not in (None, get_stack(step_owner)):
        raise StepError(format_conflict(str(claimed_by), step_owner))


def take(system: System, step_owner: str) -> None:
    """Claim a free node. Raises StepError where another stack has it."""
    require_free(system, step_owner)
    if read_owner(system) is None:
        system.write(CLAIM, get_stack(step_owner) + "\n")


def format_conflict(claimed_by: str, step_owner: str) -> str:
    return (
        f"This node belongs to stack {claimed_by}, not to {get_stack(step_owner)}. "
        f"Run `pulumi destroy` in {claimed_by} first, or leave the node out here."
    )
