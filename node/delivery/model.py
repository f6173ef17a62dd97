"""Brings a model to this node: from the hub, or from another node."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from node.delivery import settled_model
from node.delivery.wants import ModelWant
from node.errors import StepError
from node.host import digests, users
from node.host.paths import TRANSFER_PORT as PORT
from node.huggingface import cache, download, hub_query, record
from node.state.manifest import Manifest
from node.transfer import receive
from node.transfer.bundle import Bundle, ModelContent


def download_from_hub(manifest: Manifest, want: ModelWant, secrets: Mapping[str, str]) -> list[str]:
    """On the source: download files that are missing or damaged. Raises StepError."""
    with _own_new_files(manifest, want):
        return _download(manifest, want, secrets)


def _download(manifest: Manifest, want: ModelWant, secrets: Mapping[str, str]) -> list[str]:
    system, root = manifest.system, cache.get_model_folder(want.cache, want.handle)
    local_commit = settled_model.find_local_commit(system, want)
    if local_commit and not _drop_damaged(manifest, want, local_commit):
        return [_record_verified(manifest, want, local_commit)]
    token = secrets.get("hf_token")
    target = download.DownloadTarget(want.handle, want.cache, want.user)
    hub_model = hub_query.query_model(system, want.handle, local_commit or want.fetch, token)
    missing_bytes = download.count_missing_bytes(system, root, hub_model)
    download.require_space(system, want.cache, missing_bytes, want.handle)
    summary = download.download(system, target, hub_model, token)
    if download.remove_mismatches(system, root, hub_model):
        # What an earlier, interrupted run left may have been damaged: download it again.
        summary = download.download(system, target, hub_model, token)
        mismatched = download.remove_mismatches(system, root, hub_model)
        if mismatched:
            raise StepError(
                f"{', '.join(mismatched)} of {want.handle} arrived twice with wrong digests."
            )
    return [
        f"{want.handle}: downloaded {summary}",
        _record_verified(manifest, want, hub_model.commit),
    ]


def _drop_damaged(manifest: Manifest, want: ModelWant, commit: str) -> list[str]:
    """Remove files with a wrong digest, so that they are fetched again; returns their paths."""
    root = cache.get_model_folder(want.cache, want.handle)
    known_record = record.read_record(manifest.system, want.handle)
    damaged = settled_model.find_damaged(manifest.system, root, commit, known_record)
    for path in damaged:
        manifest.system.path(f"{root}/{path}").unlink(missing_ok=True)
    return damaged


def _record_verified(manifest: Manifest, want: ModelWant, commit: str) -> str:
    verified = settled_model.record_verified(manifest, want, commit)
    return f"{want.handle}: {len(verified.files)} files verified at commit {commit[:8]}"


def receive_from_peer(manifest: Manifest, want: ModelWant, secrets: Mapping[str, str]) -> list[str]:
    """On the receivers: fetch files that are missing or damaged. Raises StepError."""
    with _own_new_files(manifest, want):
        return _receive(manifest, want, secrets)


def _receive(manifest: Manifest, want: ModelWant, secrets: Mapping[str, str]) -> list[str]:
    system = manifest.system
    source = receive.SourceConnection(
        want.source.node,
        want.source.addresses,
        want.source.own_addresses,
        PORT,
        secrets["transfer_key"],
    )
    bundle = receive.fetch_offer(source, f"model:{cache.to_slug(want.handle)}")
    root = system.path(cache.get_model_folder(want.cache, want.handle))
    if bundle.model is None:
        raise StepError(f"{source.node} offers no model as {bundle.name}.")
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
def _own_new_files(manifest: Manifest, want: ModelWant) -> Iterator[None]:
    """New files get the user as owner, as if the client had written them; others keep theirs."""
    root = manifest.system.path(cache.get_model_folder(want.cache, want.handle))
    before = set(_list_below(root))
    yield
    uid, gid = users.get_user_ids(manifest.system, want.user)
    for path in set(_list_below(root)) - before:
        os.lchown(path, uid, gid)


def _list_below(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            yield f"{folder}/{name}"
