"""The verb `undo`: put back what the manifest records, newest first, without any step's code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module

from node.changes import members
from node.errors import Refusal
from node.host.system import System
from node.state import claim, document, lock, manifest, receipts
from node.state.manifest import Entry, Journal
from node.verbs import self_removal

# Every kind but the lines that are about the manifest itself.
KINDS = {"action", "directory", "file", "group", "linger", "link", "node_labels", "swap", "swarm"}
KINDS |= {"addresses", "armed", "symlink", "model", "process", "tree", "unit", "image"}
KINDS |= {"members", "secret_file"}
AT_WORK = ("process", "unit")
Group = list[Entry]
ALL = "--all"


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """`undo STEP` with its owner on stdin; `undo --all`, with the anchor's owner or by hand."""
    if len(arguments) != 1:
        raise Refusal(f"`undo` needs one step, or {ALL}.")
    owner = document.parse_owner(stdin)
    who = f"undo {arguments[0]} for {owner or 'somebody at the machine'}"
    if arguments[0] == ALL:
        return _all_under_lock(system, owner, who)
    if owner is None:
        raise Refusal("`undo STEP` needs the step's owner on stdin.")
    with lock.held(system, who):
        return undo_step(system, arguments[0], owner, document.parse_token(stdin))


def _all_under_lock(system: System, owner: str | None, who: str) -> list[str]:
    try:
        with lock.held(system, who):
            return undo_all(system, owner)
    except lock.Gone:
        # An earlier run was killed just before its last act, or has ended while we waited.
        return self_removal.remove_ourselves(system)


def undo_step(system: System, step: str, owner: str, token: str | None = None) -> list[str]:
    """Undo one step, unless somebody else owns it by now.

    A step that is for one run of a service (`token`) may have been applied for a newer run since:
    then only what is left of the older one goes.
    """
    entries = manifest.read(system)
    found = manifest.owner_of(entries, step) or receipts.owner_of(system, step)
    if found is None:
        return [f"{step}: nothing of it is on this node"]
    if found != owner:
        return [f"{step}: belongs to {found} now, left as it is"]
    own = [entry for entry in entries if entry.step == step]
    if token is not None and receipts.token_of(system, step) not in (None, token):
        return _undo_older_run(Journal(system, step, owner), own, token)
    done = _undo_groups(system, groups(own))
    Journal(system, step, owner).record(manifest.CLOSED)
    receipts.remove(system, step)
    return done or [f"{step}: it had changed nothing"]


def _undo_older_run(journal: Journal, entries: Sequence[Entry], token: str) -> list[str]:
    services = [entry.subject for entry in entries if entry.kind == members.KIND]
    done = [line for one in services for line in members.undo_token(journal, one, token)]
    return done or [f"{journal.step}: nothing is left of that run"]


def undo_all(system: System, owner: str | None) -> list[str]:
    """Undo everything, then remove the node program itself."""
    found = receipts.owner_of(system, self_removal.ANCHOR)
    if owner is not None and found not in (None, owner):
        return [f"This node belongs to {found} now, left as it is."]
    stack = claim.owner(system)
    if owner is not None and stack not in (None, claim.stack_of(owner)):
        return [claim.another(str(stack), owner)]
    done = _undo_groups(system, groups(manifest.read(system)))
    return done + self_removal.remove_ourselves(system)


def groups(entries: Iterable[Entry]) -> list[Group]:
    """All that one step recorded of one subject, at the place of its first line. Pure."""
    found: dict[tuple[str, str, str], Group] = {}
    for entry in entries:
        found.setdefault((entry.step, entry.kind, entry.subject), []).append(entry)
    # Undone backwards, so what still works on the machine is ended before anything is taken away.
    return sorted(found.values(), key=lambda group: group[0].kind in AT_WORK)


def _undo_groups(system: System, found: Sequence[Group]) -> list[str]:
    """Newest first. One that fails does not keep the others from being undone."""
    done, failed = [], []
    for group in reversed(found):
        try:
            done += _undo(system, group)
        except (Refusal, OSError) as error:
            failed.append(f"{group[0].kind} {group[0].subject}: {error}")
    if failed:
        raise Refusal("\n".join([*done, "Not everything could be undone; run it again:", *failed]))
    return done


def _undo(system: System, group: Group) -> list[str]:
    last = group[-1]
    if last.kind not in KINDS:
        return []
    undo: Callable[[Journal, Group], list[str]]
    undo = import_module(f"node.changes.{last.kind}").undo
    return undo(Journal(system, last.step, last.owner), group)
