"""The verb `undo`: put back what the manifest records, newest first, without any step's code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module

from node.changes import members
from node.errors import StepError
from node.host.system import System
from node.rollback.kept_launch import read_kept
from node.state import claim, document, lock, manifest, receipts
from node.state.manifest import Manifest, ManifestEntry
from node.verbs import self_removal

# Every kind but the lines that are about the manifest itself.
UNDOABLE_KINDS = {
    "action",
    "directory",
    "file",
    "group",
    "linger",
    "link",
    "node_labels",
    "swap",
    "swarm",
}
UNDOABLE_KINDS |= {"addresses", "armed", "symlink", "model", "process", "tree", "unit", "image"}
UNDOABLE_KINDS |= {"gpu_clock", "package_hold", "lent_unit"}
UNDOABLE_KINDS |= {"members", "secret_file", "container", "volume", "supervisor"}
RUNNING_KINDS = ("process", "unit", "container", "supervisor")
EntryGroup = list[ManifestEntry]
ALL_FLAG = "--all"


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """`undo STEP` with its owner on stdin; `undo --all`, with the agent's owner or by hand."""
    if len(arguments) != 1:
        raise StepError(f"`undo` needs one step, or {ALL_FLAG}.")
    owner = document.parse_owner(stdin)
    holder = f"undo {arguments[0]} for {owner or 'a local user'}"
    if arguments[0] == ALL_FLAG:
        return _undo_all_under_lock(system, owner, holder)
    if owner is None:
        raise StepError("`undo STEP` needs the step's owner on stdin.")
    with lock.hold(system, holder):
        return undo_step(system, arguments[0], owner, document.parse_token(stdin))


def _undo_all_under_lock(system: System, owner: str | None, holder: str) -> list[str]:
    try:
        with lock.hold(system, holder):
            return undo_all(system, owner)
    except lock.StateGoneError:
        # An earlier run was killed just before its last act, or has ended while we waited.
        return self_removal.remove_agent(system)


def undo_step(system: System, step: str, owner: str, token: str | None = None) -> list[str]:
    """Undo one step, unless somebody else owns it by now.

    A step that is for one run of a service (`token`) may have been applied for a newer run since:
    then only what is left of the older one goes.
    """
    entries = manifest.read(system)
    current_owner = manifest.find_owner(entries, step) or receipts.read_owner(system, step)
    if current_owner is None:
        return [f"{step}: nothing to undo"]
    if current_owner != owner:
        return [f"{step}: now owned by {current_owner}; kept"]
    step_entries = [entry for entry in entries if entry.step == step]
    if token is not None and receipts.read_token(system, step) not in (None, token):
        return _undo_older_run(Manifest(system, step, owner), step_entries, token)
    messages = _undo_groups(system, group_entries(step_entries))
    Manifest(system, step, owner).record(manifest.CLOSED)
    receipts.remove(system, step)
    return messages or [f"{step}: nothing was changed"]


def _undo_older_run(manifest: Manifest, entries: Sequence[ManifestEntry], token: str) -> list[str]:
    services = [entry.subject for entry in entries if entry.kind == members.KIND]
    if any(_is_restored(manifest.system, service, token) for service in services):
        return [f"{manifest.step}: that run serves again, as a newer one has failed; kept"]
    messages = [
        message for service in services for message in members.undo_token(manifest, service, token)
    ]
    return messages or [f"{manifest.step}: nothing left of that run"]


def _is_restored(system: System, service: str, token: str) -> bool:
    previous = read_kept(system, service)
    return previous is not None and previous.failure is not None and previous.token == token


def undo_all(system: System, owner: str | None) -> list[str]:
    """Undo everything, then remove the node program itself."""
    current_owner = receipts.read_owner(system, self_removal.AGENT)
    if owner is not None and current_owner not in (None, owner):
        return [f"This node is now owned by {current_owner}; nothing undone."]
    stack = claim.read_owner(system)
    if owner is not None and stack not in (None, claim.get_stack(owner)):
        return [claim.format_conflict(str(stack), owner)]
    messages = _undo_groups(system, group_entries(manifest.read(system)))
    return messages + self_removal.remove_agent(system)


def group_entries(entries: Iterable[ManifestEntry]) -> list[EntryGroup]:
    """All that one step recorded of one subject, at the place of its first line. Pure."""
    groups: dict[tuple[str, str, str], EntryGroup] = {}
    for entry in entries:
        groups.setdefault((entry.step, entry.kind, entry.subject), []).append(entry)
    # Undone backwards, so what still works on the machine is ended before anything is taken away.
    return sorted(groups.values(), key=lambda group: group[0].kind in RUNNING_KINDS)


def _undo_groups(system: System, groups: Sequence[EntryGroup]) -> list[str]:
    """Newest first. One that fails does not keep the others from being undone."""
    messages, failures = [], []
    for group in reversed(groups):
        try:
            messages += _undo_group(system, group)
        except (StepError, OSError) as error:
            failures.append(f"{group[0].kind} {group[0].subject}: {error}")
    if failures:
        raise StepError("\n".join([*messages, "Undo incomplete; run it again:", *failures]))
    return messages


def _undo_group(system: System, group: EntryGroup) -> list[str]:
    newest = group[-1]
    if newest.kind not in UNDOABLE_KINDS:
        return []
    undo: Callable[[Manifest, EntryGroup], list[str]]
    undo = import_module(f"node.changes.{newest.kind}").undo
    return undo(Manifest(system, newest.step, newest.owner), group)
