"""The user and the directories that serving needs: groups, linger, locked memory, swap, models.

Linger also keeps logind from removing the user's shared memory at logout (RemoveIPC), which
breaks MPI and NCCL inside one node; so /etc/systemd/logind.conf stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from node.changes import directory, file, group, linger, swap
from node.files import lines
from node.host import users
from node.host.differences import format_change
from node.host.system import System
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec

LIMITS = "/etc/security/limits.d/60-sparkform.conf"
FSTAB = "/etc/fstab"
DISABLED_PREFIX = "# switched off by sparkform: "


@dataclass(frozen=True)
class Want:
    """`swap`: empty for none, null to leave it alone. Mode (octal text) and owner: null to leave
    them, for a model directory that is somebody's cache or on another machine."""

    user: str
    docker_group: bool
    linger: bool
    memlock: str
    swap: tuple[str, ...] | None
    model_directory: str
    model_directory_exists: bool
    model_directory_mode: str | None
    model_directory_owner: str | None


@dataclass(frozen=True)
class Have:
    """`swap`: the devices in use or in fstab."""

    user: str | None = None
    docker_group: bool | None = None
    linger: bool | None = None
    memlock: str | None = None
    swap: tuple[str, ...] | None = None
    model_directory: str | None = None
    model_directory_exists: bool | None = None
    model_directory_mode: str | None = None
    model_directory_owner: str | None = None


def observe(system: System, request: StepRequest) -> Have:
    user, model_directory = request.user, request.model_directory
    state = system.get_state(model_directory)
    return Have(
        user=user,
        docker_group=user in (users.list_group_members(system, "docker") or []),
        linger=linger.is_enabled(system, user),
        memlock=_read_memlock(system.read(LIMITS), user),
        swap=tuple(sorted({*swap.list_devices(system), *list_boot_swap(system.read(FSTAB))})),
        model_directory=model_directory,
        model_directory_exists=bool(state and state.is_directory),
        model_directory_mode=f"{state.mode:04o}" if state else None,
        model_directory_owner=users.get_user_name(system, state.uid) if state else None,
    )


def narrow(observed: Have, want: Want) -> Have:
    return replace(
        observed,
        swap=None if want.swap is None else observed.swap,
        model_directory_mode=want.model_directory_mode and observed.model_directory_mode,
        model_directory_owner=want.model_directory_owner and observed.model_directory_owner,
    )


def compare(have: Have, want: Want) -> list[str]:
    user, models = want.user, want.model_directory
    messages = []
    if have.docker_group != want.docker_group:
        messages.append(f"{user} is not in group docker, will be added")
    if have.linger != want.linger:
        messages.append(f"linger of {user} is off, will be on")
    if have.memlock != want.memlock:
        messages.append(format_change(f"locked memory of {user}", have.memlock, want.memlock))
    if have.swap != want.swap:
        messages.append(f"swap is on ({', '.join(have.swap or ())}), will be off")
    if have.model_directory_exists != want.model_directory_exists:
        return [*messages, f"{models} is missing, will be created"]
    return messages + _compare_rights(have, want)


def _compare_rights(have: Have, want: Want) -> list[str]:
    rights = {
        "mode": (have.model_directory_mode, want.model_directory_mode),
        "owner": (have.model_directory_owner, want.model_directory_owner),
    }
    return [
        format_change(f"{name} of {want.model_directory}", current, wanted)
        for name, (current, wanted) in rights.items()
        if current != wanted
    ]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    messages = group.add_user(manifest, want.user, "docker") if want.docker_group else []
    messages += linger.enable(manifest, want.user) if want.linger else []
    messages += _set_memlock(manifest, want.user, want.memlock)
    messages += _switch_swap_off(manifest) if want.swap == () else []
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
        new_text = lines.apply_edits(text, edits)
        file.write(manifest, file.FileChange(FSTAB, new_text, 0o644, file.LINES, edits))
    return [f"{FSTAB}: swap switched off"] * bool(edits) + swap.switch_off(manifest)


def _set_memlock(manifest: Manifest, user: str, limit: str) -> list[str]:
    text = manifest.system.read(LIMITS)
    if _read_memlock(text, user) == limit:
        return []
    file_lines, new_line = lines.split_lines(text), f"{user} - memlock {limit}"
    stale = [index for index, line in enumerate(file_lines) if _parse_limit(line, user) is not None]
    edits = [lines.plan_replacement(file_lines, index, None) for index in stale]
    edits.append(lines.plan_addition(new_line + "\n"))
    new_text = lines.apply_edits(text, edits)
    file.write(manifest, file.FileChange(LIMITS, new_text, 0o644, file.LINES, edits))
    return [f"{LIMITS}: {new_line}"]


def _read_memlock(text: str | None, user: str) -> str | None:
    limits = [_parse_limit(line, user) for line in lines.split_lines(text)]
    return next((limit for limit in reversed(limits) if limit is not None), None)


def _parse_limit(line: str, user: str) -> str | None:
    """`<user> - memlock <limit>` as limits.conf(5) has it, `-` being soft and hard."""
    fields = line.partition("#")[0].split()
    return fields[3] if fields[:3] == [user, "-", "memlock"] and len(fields) == 4 else None


def _ensure_model_directory(manifest: Manifest, want: Want) -> list[str]:
    path, mode, owner = want.model_directory, want.model_directory_mode, want.model_directory_owner
    state = manifest.system.get_state(path)
    if state and mode is None and owner is None:
        return []
    uid, gid = users.get_user_ids(manifest.system, owner or want.user)
    if state and owner is None:
        uid, gid = state.uid, state.gid
    if state and state.uid == uid:
        gid = state.gid
    bits = int(mode, 8) if mode else (state.mode if state else 0o775)
    return directory.ensure(manifest, path, bits, uid, gid)


SPEC = StepSpec(
    name="prerequisites",
    want=Want,
    observed=Have,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
)
