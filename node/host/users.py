"""Users and groups, read by the machine's own tools, which alone change them."""

from __future__ import annotations

from node.errors import StepError
from node.host.system import System


def get_user_ids(system: System, user: str) -> tuple[int, int]:
    """Numeric user and group. Raises StepError where there is no such user."""
    result = system.run(["getent", "passwd", user])
    fields = result.out.strip().split(":")
    if result.code or len(fields) < 4:
        raise StepError(f"This node has no user {user}; create it, or set another in cluster.user.")
    return int(fields[2]), int(fields[3])


def get_user_name(system: System, uid: int) -> str:
    """The user's name, or its number as text where no user has it."""
    result = system.run(["getent", "passwd", str(uid)])
    return result.out.split(":")[0] if result.code == 0 and result.out.strip() else str(uid)


def list_group_members(system: System, group: str) -> list[str] | None:
    """Users listed in the group; None where there is no such group."""
    result = system.run(["getent", "group", group])
    fields = result.out.strip().split(":")
    if result.code or len(fields) < 4:
        return None
    return [name for name in fields[3].split(",") if name]
