"""Users and groups as the machine's own tools know them; they are changed by those tools only."""

from __future__ import annotations

from node.errors import Refusal
from node.host.system import System


def ids_of(system: System, user: str) -> tuple[int, int]:
    """Numeric user and group. Raises Refusal where there is no such user."""
    done = system.run(["getent", "passwd", user])
    fields = done.out.strip().split(":")
    if done.code or len(fields) < 4:
        raise Refusal(f"This node has no user {user}; create it, or name another in cluster.user.")
    return int(fields[2]), int(fields[3])


def name_of(system: System, uid: int) -> str:
    """The user's name, or its number as text where it has none."""
    done = system.run(["getent", "passwd", str(uid)])
    return done.out.split(":")[0] if done.code == 0 and done.out.strip() else str(uid)


def members(system: System, group: str) -> list[str] | None:
    """Who is listed in the group; None where there is no such group."""
    done = system.run(["getent", "group", group])
    fields = done.out.strip().split(":")
    if done.code or len(fields) < 4:
        return None
    return [name for name in fields[3].split(",") if name]
