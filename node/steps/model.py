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
from node.errors import StepError
from node.host import users
from node.host.plain import as_mapping
from node.host.system import System
from node.huggingface import cache, record
from node.state.manifest import Manifest

Json = Mapping[str, Any]
VERIFIED = "whole and verified"


class FetchSource(TypedDict):
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
    source: FetchSource
    state: str


def observe(system: System, request: Json) -> dict[str, Any]:
    """{"models": {handle: {"root", "revision", "commit", "changed": [file, …]}}, "whole": […]}.

    `whole`: folders of models in the request's directory that nobody has verified yet."""
    records = {model_record.handle: model_record for model_record in record.list_records(system)}
    models = {
        handle: {
            "root": model_record.root,
            "revision": model_record.revision,
            "commit": model_record.commit,
            "changed": record.list_changed_files(system, model_record)[:3],
        }
        for handle, model_record in records.items()
    }
    return {"models": models, "whole": list(_find_unrecorded(system, request["model_directory"]))}


def _find_unrecorded(system: System, directory_of_models: str) -> Iterator[str]:
    for top in (f"{directory_of_models}/hub", directory_of_models):
        for name in system.list_names(top):
            root = f"{top}/{name}"
            commit = cache.resolve_commit(system, root, settled_model.MAIN)
            if (
                name.startswith("models--")
                and commit
                and settled_model.is_complete(system, root, commit)
            ):
                yield root


def compare_with_source(
    observed: Json, handle: str, source: str, commit: str | None
) -> dict[str, Any]:
    """What a node has, next to what the node has that it is to be equal to. Pure."""
    own_model = as_mapping(as_mapping(observed.get("models")).get(handle))
    if commit is None or not own_model or own_model.get("commit") == commit:
        return dict(observed)
    differing_model = {
        **own_model,
        "other": f"{str(own_model.get('commit'))[:8]}, {source} has {commit[:8]}",
    }
    return {**observed, "models": {**as_mapping(observed.get("models")), handle: differing_model}}


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    return {**want, "state": _describe_state(observed, want)}


def _describe_state(observed: Json, want: Json) -> str:
    root = cache.get_model_folder(want["cache"], want["handle"])
    model_state = as_mapping(as_mapping(observed.get("models")).get(want["handle"]))
    if model_state.get("root") != root:
        return "not verified yet" if root in (observed.get("whole") or []) else "missing"
    if model_state.get("revision") != settled_model.get_revision(want):
        return f"at revision {model_state.get('revision')}"
    if model_state.get("other"):
        return f"at {model_state['other']}"
    changed = model_state.get("changed") or []
    return f"changed in {', '.join(changed)}" if changed else VERIFIED


def compare(have: Json, want: Json) -> list[str]:
    if have.get("state") == want["state"]:
        return []
    handle, source = want["handle"], want["source"]
    method = "downloaded" if source["kind"] == "hub" else f"copied from {source['node']}"
    if have.get("state") == "not verified yet":
        return [f"{handle} is there, will be verified"]
    verb = "has" if str(have.get("state")).startswith("changed") else "is"
    return [f"{handle} {verb} {have.get('state')}, will be {method}"]


def get_disturbance(have: Json, want: Json) -> str:
    return "none"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    from node.delivery.model import download_from_hub, receive_from_peer

    root = cache.get_model_folder(want["cache"], want["handle"])
    process.record(manifest)
    uid, gid = users.get_user_ids(manifest.system, want["user"])
    if manifest.system.get_state(want["cache"]) is None:
        directory.ensure(manifest, want["cache"], 0o755, uid, gid)
    model.record(manifest, root, want["handle"], want["keep"])
    if manifest.system.get_state(root) is None:
        manifest.system.make_directory(root)
        manifest.system.set_owner(root, 0o755, uid, gid)
    with hold_model_lock(manifest.system, root, want["handle"]):
        if want["source"]["kind"] == "hub":
            return download_from_hub(manifest, want, secret)
        return receive_from_peer(manifest, want, secret)


@contextmanager
def hold_model_lock(system: System, root: str, handle: str) -> Iterator[None]:
    """Only one run works on a model: an interrupted one may still be at it for seconds."""
    root_descriptor = os.open(system.path(root), os.O_RDONLY | os.O_DIRECTORY)
    try:
        flock(root_descriptor, LOCK_EX | LOCK_NB)
        yield
    except BlockingIOError:
        raise StepError(f"Another run is fetching {handle} at this moment; wait for it.") from None
    finally:
        os.close(root_descriptor)
