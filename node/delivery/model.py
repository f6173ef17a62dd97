"""Brings a model to this node: from the hub, or from the node that has it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from node.delivery import settled_model
from node.errors import Refusal
from node.host import digests, users
from node.host.paths import SPREAD_PORT as PORT
from node.huggingface import cache, download, look, record
from node.state.manifest import Journal
from node.transfer import receive
from node.transfer.bundle import Parcel

Json = Mapping[str, Any]


def from_hub(journal: Journal, want: Json, secret: Json) -> list[str]:
    """The source: download what is not here and right. Raises Refusal."""
    with _new_files_are_the_users(journal, want):
        return _download(journal, want, secret)


def _download(journal: Journal, want: Json, secret: Json) -> list[str]:
    system, root = journal.system, cache.folder(want["cache"], want["handle"])
    here = settled_model.local_commit(system, want)
    if here and not _drop_damaged(journal, want, here):
        return [_settled(journal, want, here)]
    token = secret.get("hf_token")
    found = look.look(system, want["handle"], here or want["fetch"], token)
    needed = download.missing(system, root, found)
    download.require_room(system, want["cache"], needed, want["handle"])
    came = download.run(system, want, found, token)
    if download.wrong(system, root, found):
        # A part that an earlier, interrupted run left may have been damaged: once more, from none.
        came = download.run(system, want, found, token)
        bad = download.wrong(system, root, found)
        if bad:
            raise Refusal(f"{', '.join(bad)} of {want['handle']} came twice with wrong contents.")
    return [f"{want['handle']}: downloaded {came}", _settled(journal, want, found.commit)]


def _drop_damaged(journal: Journal, want: Json, commit: str) -> list[str]:
    """Files that are not what they should be, removed so that they come again."""
    root = cache.folder(want["cache"], want["handle"])
    known = record.read(journal.system, want["handle"])
    bad = settled_model.damaged(journal.system, root, commit, known)
    for place in bad:
        journal.system.path(f"{root}/{place}").unlink(missing_ok=True)
    return bad


def _settled(journal: Journal, want: Json, commit: str) -> str:
    found = settled_model.settle(journal, want, commit)
    return f"{want['handle']}: {len(found.parts)} files verified at commit {commit[:8]}"


def from_peer(journal: Journal, want: Json, secret: Json) -> list[str]:
    """The others: fetch from the source what is not here and right. Raises Refusal."""
    with _new_files_are_the_users(journal, want):
        return _receive(journal, want, secret)


def _receive(journal: Journal, want: Json, secret: Json) -> list[str]:
    system, given = journal.system, want["source"]
    source = receive.Source(
        given["node"], given["addresses"], given["own"], PORT, secret["spread_key"]
    )
    parcel = receive.offered(source, f"model:{cache.slug(want['handle'])}")
    root = system.path(cache.folder(want["cache"], want["handle"]))
    right = _right(root, parcel)
    receiver = receive.Receiver(source, parcel, root, right.__contains__)
    needed = receiver.missing()
    download.require_room(system, want["cache"], needed, want["handle"])
    came = receiver.run()
    _link(root, parcel)
    settled = _settled(journal, want, parcel.about["commit"])
    return [*([f"{want['handle']}: received {came}"] if needed else []), settled]


def _right(root: Path, parcel: Parcel) -> set[str]:
    """Files that are here with the right bytes: they are not sent again."""
    there = {
        place: item.digest
        for place, item in parcel.items.items()
        if _has_size(root / place, item.size)
    }
    return set(there) - set(digests.wrong(root, there, lambda count: None))


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _link(root: Path, parcel: Parcel) -> None:
    """The model's own names for the files, as the source has them."""
    top = root / "snapshots" / parcel.about["commit"]
    for name, target in parcel.about["links"].items():
        link = top / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink() or os.readlink(link) != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)


@contextmanager
def _new_files_are_the_users(journal: Journal, want: Json) -> Iterator[None]:
    """What comes is the user's, as if the client had brought it; what was there keeps its owner."""
    root = journal.system.path(cache.folder(want["cache"], want["handle"]))
    before = set(_below(root))
    yield
    uid, gid = users.ids_of(journal.system, want["user"])
    for path in set(_below(root)) - before:
        os.lchown(path, uid, gid)


def _below(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            yield f"{folder}/{name}"
