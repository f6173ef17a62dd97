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
from node.host.differences import format_change
from node.host.system import System
from node.state.manifest import Manifest

LIMITS = "/etc/security/limits.d/60-sparkform.conf"
FSTAB = "/etc/fstab"
DISABLED_PREFIX = "# switched off by sparkform: "
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
    user, model_directory = request["user"], request["model_directory"]
    state = system.get_state(model_directory)
    return {
        "user": user,
        "docker_group": user in (users.list_group_members(system, "docker") or []),
        "linger": linger.is_enabled(system, user),
        "memlock": _read_memlock(system.read(LIMITS), user),
        "swap": sorted({*swap.devices(system), *list_boot_swap(system.read(FSTAB))}),
        "model_directory": model_directory,
        "model_directory_exists": bool(state and state.is_directory),
        "model_directory_mode": f"{state.mode:04o}" if state else None,
        "model_directory_owner": users.get_user_name(system, state.uid) if state else None,
    }


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    return {name: None if want[name] is None else observed.get(name) for name in want}


def compare(have: Json, want: Json) -> list[str]:
    user, model_directory = want["user"], want["model_directory"]
    phrases = {
        "docker_group": f"{user} is not in group docker, will be added",
        "linger": f"linger of {user} is off, will be on",
        "memlock": format_change(f"locked memory of {user}", have.get("memlock"), want["memlock"]),
        "swap": f"swap is on ({', '.join(have.get('swap') or [])}), will be off",
        "model_directory_exists": f"{model_directory} is missing, will be made",
    }
    messages = [phrases[name] for name in phrases if have.get(name) != want[name]]
    if have.get("model_directory_exists"):
        for name in ("mode", "owner"):
            key = f"model_directory_{name}"
            if have.get(key) != want[key]:
                messages.append(
                    format_change(f"{name} of {model_directory}", have.get(key), want[key])
                )
    return messages


def get_disturbance(have: Json, want: Json) -> str:
    """What runs keeps its limits and its groups; swapping off moves pages but stops nothing."""
    return "none"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    messages = group.add_user(manifest, want["user"], "docker") if want["docker_group"] else []
    messages += linger.enable(manifest, want["user"]) if want["linger"] else []
    messages += _set_memlock(manifest, want["user"], want["memlock"])
    messages += _switch_swap_off(manifest) if want["swap"] == [] else []
    return messages + _ensure_model_directory(manifest, want)


def list_boot_swap(text: str | None) -> list[str]:
    """What fstab switches on: third field `swap`, without `noauto` (fstab(5)). Pure."""
    return [line.split()[0] for line in lines.split_lines(text) if _is_swap(line)]


def plan_fstab_edits(text: str | None) -> list[lines.LineEdit]:
    """Each swap line as a comment that says who made it one. Pure."""
    file_lines = lines.split_lines(text)
    return [
        lines.plan_replacement(file_lines, index, DISABLED_PREFIX + line.rstrip("\r\n"))
        for index, line in enumerate(file_lines)
        if _is_swap(line)
    ]


def _is_swap(line: str) -> bool:
    fields = line.partition("#")[0].split()
    is_swap = len(fields) > 2 and fields[2] == "swap"
    return is_swap and "noauto" not in (fields[3].split(",") if len(fields) > 3 else [])


def _switch_swap_off(manifest: Manifest) -> list[str]:
    text = manifest.system.read(FSTAB)
    edits = plan_fstab_edits(text)
    if edits:
        change = file.FileChange(FSTAB, lines.apply_edits(text, edits), 0o644, file.LINES, edits)
        file.write(manifest, change)
    return [f"{FSTAB}: swap switched off"] * bool(edits) + swap.switch_off(manifest)


def _set_memlock(manifest: Manifest, user: str, limit: str) -> list[str]:
    text = manifest.system.read(LIMITS)
    if _read_memlock(text, user) == limit:
        return []
    file_lines, new_line = lines.split_lines(text), f"{user} - memlock {limit}"
    stale = [index for index, line in enumerate(file_lines) if _parse_limit(line, user) is not None]
    edits = [lines.plan_replacement(file_lines, index, None) for index in stale] + [
        lines.plan_addition(new_line + "\n")
    ]
    file.write(
        manifest, file.FileChange(LIMITS, lines.apply_edits(text, edits), 0o644, file.LINES, edits)
    )
    return [f"{LIMITS}: {new_line}"]


def _read_memlock(text: str | None, user: str) -> str | None:
    limits = [_parse_limit(line, user) for line in lines.split_lines(text)]
    return next((limit for limit in reversed(limits) if limit is not None), None)


def _parse_limit(line: str, user: str) -> str | None:
    """`<user> - memlock <limit>` as limits.conf(5) has it, `-` being soft and hard."""
    fields = line.partition("#")[0].split()
    return fields[3] if fields[:3] == [user, "-", "memlock"] and len(fields) == 4 else None


def _ensure_model_directory(manifest: Manifest, want: Json) -> list[str]:
    path = want["model_directory"]
    state = manifest.system.get_state(path)
    mode, owner = want["model_directory_mode"], want["model_directory_owner"]
    if state and mode is None and owner is None:
        return []
    uid, gid = users.get_user_ids(manifest.system, owner or want["user"])
    if state and owner is None:
        uid, gid = state.uid, state.gid
    if state and state.uid == uid:
        gid = state.gid
    bits = int(mode, 8) if mode else (state.mode if state else 0o775)
    return directory.ensure(manifest, path, bits, uid, gid)
