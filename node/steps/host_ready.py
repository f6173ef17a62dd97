"""The user and the directories that serving needs: groups, linger, locked memory, swap, models.

Linger also keeps logind from removing the user's shared memory at logout (RemoveIPC), which
breaks MPI and NCCL inside one node; so /etc/systemd/logind.conf stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from node.changes import directory, file, group, linger, swap
from node.files import lines
from node.host import users
from node.host.differences import changed
from node.host.system import System
from node.state.manifest import Journal

LIMITS = "/etc/security/limits.d/60-sparkform.conf"
FSTAB = "/etc/fstab"
OFF = "# switched off by sparkform: "
Json = Mapping[str, Any]


class Want(TypedDict):
    """`swap`: [] for none, null to leave it alone. Mode (octal text) and owner: null to leave them,
    for a model directory that is somebody's cache or on another machine."""

    user: str
    docker_group: bool
    linger: bool
    memlock: str
    swap: list[str] | None
    model_directory: str
    model_directory_exists: bool
    model_directory_mode: str | None
    model_directory_owner: str | None


def observe(system: System, request: Json) -> dict[str, Any]:
    """`request` names `user` and `model_directory`. `swap` lists devices in use or in fstab."""
    user, models = request["user"], request["model_directory"]
    found = system.state(models)
    return {
        "user": user,
        "docker_group": user in (users.members(system, "docker") or []),
        "linger": linger.lingers(system, user),
        "memlock": _memlock(system.read(LIMITS), user),
        "swap": sorted({*swap.devices(system), *at_boot(system.read(FSTAB))}),
        "model_directory": models,
        "model_directory_exists": bool(found and found.is_directory),
        "model_directory_mode": f"{found.mode:04o}" if found else None,
        "model_directory_owner": users.name_of(system, found.uid) if found else None,
    }


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    return {name: None if want[name] is None else seen.get(name) for name in want}


def differences(have: Json, want: Json) -> list[str]:
    user, models = want["user"], want["model_directory"]
    phrases = {
        "docker_group": f"{user} is not in group docker, will be added",
        "linger": f"linger of {user} is off, will be on",
        "memlock": changed(f"locked memory of {user}", have.get("memlock"), want["memlock"]),
        "swap": f"swap is on ({', '.join(have.get('swap') or [])}), will be off",
        "model_directory_exists": f"{models} is missing, will be made",
    }
    said = [phrases[name] for name in phrases if have.get(name) != want[name]]
    if have.get("model_directory_exists"):
        for name in ("mode", "owner"):
            key = f"model_directory_{name}"
            if have.get(key) != want[key]:
                said.append(changed(f"{name} of {models}", have.get(key), want[key]))
    return said


def disturbs(have: Json, want: Json) -> str:
    """What runs keeps its limits and its groups; swapping off moves pages but stops nothing."""
    return "none"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    done = group.add(journal, want["user"], "docker") if want["docker_group"] else []
    done += linger.enable(journal, want["user"]) if want["linger"] else []
    done += _set_memlock(journal, want["user"], want["memlock"])
    done += _swap_off(journal) if want["swap"] == [] else []
    return done + _model_directory(journal, want)


def at_boot(text: str | None) -> list[str]:
    """What fstab switches on: third field `swap`, without `noauto` (fstab(5)). Pure."""
    return [line.split()[0] for line in lines.split(text) if _is_swap(line)]


def fstab_edits(text: str | None) -> list[lines.Edit]:
    """Each swap line as a comment that says who made it one. Pure."""
    found = lines.split(text)
    return [
        lines.replaced(found, index, OFF + line.rstrip("\r\n"))
        for index, line in enumerate(found)
        if _is_swap(line)
    ]


def _is_swap(line: str) -> bool:
    fields = line.partition("#")[0].split()
    is_swap = len(fields) > 2 and fields[2] == "swap"
    return is_swap and "noauto" not in (fields[3].split(",") if len(fields) > 3 else [])


def _swap_off(journal: Journal) -> list[str]:
    text = journal.system.read(FSTAB)
    edits = fstab_edits(text)
    if edits:
        change = file.Change(FSTAB, lines.merge(text, edits), 0o644, file.LINES, edits)
        file.write(journal, change)
    return [f"{FSTAB}: swap switched off"] * bool(edits) + swap.switch_off(journal)


def _set_memlock(journal: Journal, user: str, limit: str) -> list[str]:
    text = journal.system.read(LIMITS)
    if _memlock(text, user) == limit:
        return []
    found, new = lines.split(text), f"{user} - memlock {limit}"
    stale = [index for index, line in enumerate(found) if _limit(line, user) is not None]
    edits = [lines.replaced(found, index, None) for index in stale] + [lines.added(new + "\n")]
    file.write(journal, file.Change(LIMITS, lines.merge(text, edits), 0o644, file.LINES, edits))
    return [f"{LIMITS}: {new}"]


def _memlock(text: str | None, user: str) -> str | None:
    found = [_limit(line, user) for line in lines.split(text)]
    return next((limit for limit in reversed(found) if limit is not None), None)


def _limit(line: str, user: str) -> str | None:
    """`<user> - memlock <limit>` as limits.conf(5) has it, `-` being soft and hard."""
    fields = line.partition("#")[0].split()
    return fields[3] if fields[:3] == [user, "-", "memlock"] and len(fields) == 4 else None


def _model_directory(journal: Journal, want: Json) -> list[str]:
    path = want["model_directory"]
    found = journal.system.state(path)
    mode, owner = want["model_directory_mode"], want["model_directory_owner"]
    if found and mode is None and owner is None:
        return []
    uid, gid = users.ids_of(journal.system, owner or want["user"])
    if found and owner is None:
        uid, gid = found.uid, found.gid
    if found and found.uid == uid:
        gid = found.gid
    bits = int(mode, 8) if mode else (found.mode if found else 0o775)
    return directory.ensure(journal, path, bits, uid, gid)
