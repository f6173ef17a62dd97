"""One model on this node: from the hub, from a node that has it, or as it lies there already.

A step is in sync when the node has a record of the model, verified, and no file has changed since.
A model that is there whole is used as it is; it is read once and compared with its own digests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from typing import Any, Literal, TypedDict

from node.changes import directory, model, process
from node.delivery import settled_model
from node.errors import Refusal
from node.host import users
from node.host.plain import mapping
from node.host.system import System
from node.huggingface import cache, record
from node.state.manifest import Journal

Json = Mapping[str, Any]
WHOLE = "whole and verified"


class Source(TypedDict):
    """Where it comes from: the hub, or the node `node`, which answers at `addresses` (IPv4).

    `own` are this node's addresses in the same networks, for those who fetch from it in turn.
    """

    kind: Literal["hub", "peer"]
    node: str
    addresses: list[str]
    own: list[str]


class Want(TypedDict):
    """`revision`: declared, else null and the main branch; `fetch` is what the hub is asked for.
    `cache` is the folder of a Hugging Face cache, `keep` whether the model stays at undo."""

    handle: str
    revision: str | None
    fetch: str
    cache: str
    user: str
    keep: bool
    source: Source
    state: str


def observe(system: System, request: Json) -> dict[str, Any]:
    """{"models": {handle: {"root", "revision", "commit", "changed": [file, …]}}, "whole": […]}.

    `whole`: folders of models in the request's directory that nobody has verified yet."""
    recorded = {one.handle: one for one in record.read_all(system)}
    models = {
        handle: {
            "root": one.root,
            "revision": one.revision,
            "commit": one.commit,
            "changed": record.changed(system, one)[:3],
        }
        for handle, one in recorded.items()
    }
    return {"models": models, "whole": list(_unrecorded(system, request["model_directory"]))}


def _unrecorded(system: System, directory_of_models: str) -> Iterator[str]:
    for top in (f"{directory_of_models}/hub", directory_of_models):
        for name in system.names(top):
            root = f"{top}/{name}"
            commit = cache.commit_of(system, root, settled_model.MAIN)
            if (
                name.startswith("models--")
                and commit
                and settled_model.looks_whole(system, root, commit)
            ):
                yield root


def beside_source(seen: Json, handle: str, source: str, commit: str | None) -> dict[str, Any]:
    """What a node has, next to what the node has that it is to be equal to. Pure."""
    own = mapping(mapping(seen.get("models")).get(handle))
    if commit is None or not own or own.get("commit") == commit:
        return dict(seen)
    other = {**own, "other": f"{str(own.get('commit'))[:8]}, {source} has {commit[:8]}"}
    return {**seen, "models": {**mapping(seen.get("models")), handle: other}}


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    return {**want, "state": _state(seen, want)}


def _state(seen: Json, want: Json) -> str:
    root = cache.folder(want["cache"], want["handle"])
    found = mapping(mapping(seen.get("models")).get(want["handle"]))
    if found.get("root") != root:
        return "not verified yet" if root in (seen.get("whole") or []) else "missing"
    if found.get("revision") != settled_model.revision_of(want):
        return f"at revision {found.get('revision')}"
    if found.get("other"):
        return f"at {found['other']}"
    changed = found.get("changed") or []
    return f"changed in {', '.join(changed)}" if changed else WHOLE


def differences(have: Json, want: Json) -> list[str]:
    if have.get("state") == want["state"]:
        return []
    handle, source = want["handle"], want["source"]
    way = "downloaded" if source["kind"] == "hub" else f"copied from {source['node']}"
    if have.get("state") == "not verified yet":
        return [f"{handle} is there, will be verified"]
    is_or_has = "has" if str(have.get("state")).startswith("changed") else "is"
    return [f"{handle} {is_or_has} {have.get('state')}, will be {way}"]


def disturbs(have: Json, want: Json) -> str:
    return "none"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    from node.delivery.model import from_hub, from_peer

    root = cache.folder(want["cache"], want["handle"])
    process.remember(journal)
    uid, gid = users.ids_of(journal.system, want["user"])
    if journal.system.state(want["cache"]) is None:
        directory.ensure(journal, want["cache"], 0o755, uid, gid)
    model.remember(journal, root, want["handle"], want["keep"])
    if journal.system.state(root) is None:
        journal.system.make_directory(root)
        journal.system.own(root, 0o755, uid, gid)
    with alone(journal.system, root, want["handle"]):
        if want["source"]["kind"] == "hub":
            return from_hub(journal, want, secret)
        return from_peer(journal, want, secret)


@contextmanager
def alone(system: System, root: str, handle: str) -> Iterator[None]:
    """Only one run works on a model: an interrupted one may still be at it for seconds."""
    handle_of_root = os.open(system.path(root), os.O_RDONLY | os.O_DIRECTORY)
    try:
        flock(handle_of_root, LOCK_EX | LOCK_NB)
        yield
    except BlockingIOError:
        raise Refusal(f"Another run is fetching {handle} at this moment; wait for it.") from None
    finally:
        os.close(handle_of_root)
