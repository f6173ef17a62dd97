"""One model on this node: from the hub, from a node that has it, or as it lies there already.

A step is in sync when the node has a record of the model, verified, and no file has changed since.
A model that is complete is used as it is; it is read once and compared with its own digests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fcntl import LOCK_EX, LOCK_NB, flock

from node.changes import directory, model, process
from node.delivery import settled_model
from node.delivery.source import FetchSource
from node.errors import StepError
from node.host import users
from node.host.system import System
from node.host.typed_json import OMITTED, key
from node.huggingface import cache, record
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec

VERIFIED = "whole and verified"
MISSING = "missing"
UNVERIFIED = "not verified yet"


@dataclass(frozen=True)
class Want:
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


@dataclass(frozen=True)
class ModelState:
    """A model that was verified. `changed`: files that differ since; `mismatch`: how its commit
    differs from the source's, which the control side adds."""

    root: str | None = None
    revision: str | None = None
    commit: str | None = None
    changed: tuple[str, ...] = ()
    mismatch: str | None = field(default=None, metadata={**key("other"), **OMITTED})


@dataclass(frozen=True)
class Observed:
    """`models` by handle; `unverified`: folders of complete models that nobody has verified yet."""

    models: Mapping[str, ModelState] = field(default_factory=dict)
    unverified: tuple[str, ...] = field(default=(), metadata=key("whole"))


def observe(system: System, request: StepRequest) -> Observed:
    """Of all models in the request's directory, and of those that were recorded elsewhere."""
    models = {
        recorded.handle: ModelState(
            root=recorded.root,
            revision=recorded.revision,
            commit=recorded.commit,
            changed=tuple(record.list_changed_files(system, recorded)[:3]),
        )
        for recorded in record.list_records(system)
    }
    return Observed(models, tuple(_find_unrecorded(system, request.model_directory)))


def _find_unrecorded(system: System, model_directory: str) -> Iterator[str]:
    for top in (f"{model_directory}/hub", model_directory):
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
    observed: Observed, handle: str, source: str, commit: str | None
) -> Observed:
    """What a node has, next to what the node has that it is to be equal to. Pure."""
    state = observed.models.get(handle)
    if commit is None or state is None or state.commit == commit:
        return observed
    mismatch = f"{str(state.commit)[:8]}, {source} has {commit[:8]}"
    return replace(observed, models={**observed.models, handle: replace(state, mismatch=mismatch)})


def narrow(observed: Observed, want: Want) -> Want:
    return replace(want, state=_describe_state(observed, want))


def _describe_state(observed: Observed, want: Want) -> str:
    root = cache.get_model_folder(want.cache, want.handle)
    state = observed.models.get(want.handle, ModelState())
    if state.root != root:
        return UNVERIFIED if root in observed.unverified else MISSING
    if state.revision != (want.revision or settled_model.MAIN):
        return f"at revision {state.revision}"
    if state.mismatch:
        return f"at {state.mismatch}"
    return f"changed in {', '.join(state.changed)}" if state.changed else VERIFIED


def compare(have: Want, want: Want) -> list[str]:
    if have.state == want.state:
        return []
    source = want.source
    method = "downloaded" if source.kind == "hub" else f"copied from {source.node}"
    if have.state == UNVERIFIED:
        return [f"{want.handle} is present, will be verified"]
    verb = "has" if have.state.startswith("changed") else "is"
    return [f"{want.handle} {verb} {have.state}, will be {method}"]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    from node.delivery.model import download_from_hub, receive_from_peer

    system, root = manifest.system, cache.get_model_folder(want.cache, want.handle)
    process.record(manifest)
    uid, gid = users.get_user_ids(system, want.user)
    if system.get_state(want.cache) is None:
        directory.ensure(manifest, want.cache, 0o755, uid, gid)
    model.record(manifest, root, want.handle, want.keep)
    if system.get_state(root) is None:
        system.make_directory(root)
        system.set_owner(root, 0o755, uid, gid)
    with hold_model_lock(system, root, want.handle):
        if want.source.kind == "hub":
            return download_from_hub(manifest, want, secrets)
        return receive_from_peer(manifest, want, secrets)


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


SPEC = StepSpec(
    name="model",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    holds_lock=False,
)
