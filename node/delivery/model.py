"""Brings a model to this node: from the hub, or from another node."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node.delivery import settled_model
from node.delivery.peer import connect_to_source
from node.delivery.settled_model import MAIN
from node.delivery.source import Secrets, WantedModel
from node.errors import StepError
from node.host import digests, users
from node.host.system import System
from node.huggingface import cache, download, hub_query, record
from node.huggingface.cache import ModelLocation
from node.state.manifest import Manifest
from node.transfer import receive
from node.transfer.bundle import Bundle, ModelContent


def download_from_hub(manifest: Manifest, want: WantedModel, secrets: Secrets) -> list[str]:
    """On the source: download files that are missing or damaged. Raises StepError."""
    location = _locate(want)
    with _own_new_files(manifest.system, location):
        return _download(manifest, want, location, secrets.get("hf_token"))


def _locate(want: WantedModel) -> ModelLocation:
    return ModelLocation(want.handle, want.cache, want.user)


def _download(
    manifest: Manifest, want: WantedModel, location: ModelLocation, token: str | None
) -> list[str]:
    system, root = manifest.system, location.root
    commit = settled_model.find_local_commit(system, location, want.revision or MAIN)
    if commit and not _drop_damaged(system, location, commit):
        return [_record_verified(manifest, want, commit)]
    hub_model = hub_query.query_model(system, want.handle, commit or want.fetch, token)
    missing_bytes = download.count_missing_bytes(system, root, hub_model)
    download.require_space(system, want.cache, missing_bytes, want.handle)
    summary = download.download(system, location, hub_model, token)
    if download.remove_mismatches(system, root, hub_model):
        # What an earlier, interrupted run left may have been damaged: download it again.
        summary = download.download(system, location, hub_model, token)
        mismatched = download.remove_mismatches(system, root, hub_model)
        if mismatched:
            files = ", ".join(mismatched)
            raise StepError(f"{files} of {want.handle} arrived twice with wrong digests.")
    verified = _record_verified(manifest, want, hub_model.commit)
    return [f"{want.handle}: downloaded {summary}", verified]


def _drop_damaged(system: System, location: ModelLocation, commit: str) -> list[str]:
    """Remove files with a wrong digest, so that they are fetched again; returns their paths."""
    known_record = record.read_record(system, location.handle)
    damaged = settled_model.find_damaged(system, location.root, commit, known_record)
    for path in damaged:
        system.path(f"{location.root}/{path}").unlink(missing_ok=True)
    return damaged


def _record_verified(manifest: Manifest, want: WantedModel, commit: str) -> str:
    revision = want.revision or MAIN
    verified = settled_model.record_verified(manifest, _locate(want), revision, commit)
    return f"{want.handle}: {len(verified.files)} files verified at commit {commit[:8]}"


def receive_from_peer(manifest: Manifest, want: WantedModel, secrets: Secrets) -> list[str]:
    """On the receivers: fetch files that are missing or damaged. Raises StepError."""
    with _own_new_files(manifest.system, _locate(want)):
        return _receive(manifest, want, secrets)


def _receive(manifest: Manifest, want: WantedModel, secrets: Secrets) -> list[str]:
    system = manifest.system
    source = connect_to_source(want.source, secrets)
    bundle = receive.fetch_offer(source, f"model:{cache.to_slug(want.handle)}")
    if bundle.model is None:
        raise StepError(f"{source.node} offers no model as {bundle.name}.")
    root = system.path(_locate(want).root)
    present = _find_present(root, bundle)
    receiver = receive.Receiver(source, bundle, root, present.__contains__)
    missing_bytes = receiver.count_missing_bytes()
    download.require_space(system, want.cache, missing_bytes, want.handle)
    summary = receiver.run()
    _link_snapshot(root, bundle.model)
    verified = _record_verified(manifest, want, bundle.model.commit)
    return [*([f"{want.handle}: received {summary}"] if missing_bytes else []), verified]


def _find_present(root: Path, bundle: Bundle) -> set[str]:
    """Files that are present with the right digest: they are not fetched again."""
    candidates = {
        path: item.digest
        for path, item in bundle.items.items()
        if _has_size(root / path, item.size)
    }
    return set(candidates) - set(digests.find_mismatches(root, candidates, lambda count: None))


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _link_snapshot(root: Path, content: ModelContent) -> None:
    """Create the model's own names for the files, as the source has them."""
    top = root / "snapshots" / content.commit
    for name, target in content.links.items():
        link = top / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink() or os.readlink(link) != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)


@contextmanager
def _own_new_files(system: System, location: ModelLocation) -> Iterator[None]:
    """New files get the user as owner, as if the client had written them; others keep theirs."""
    root = system.path(location.root)
    before = set(_list_below(root))
    yield
    uid, gid = users.get_user_ids(system, location.user)
    for path in set(_list_below(root)) - before:
        os.lchown(path, uid, gid)


def _list_below(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            yield f"{folder}/{name}"
