"""A model that is on this node: read once, compared with its own digests, and recorded."""

from __future__ import annotations

from collections.abc import Mapping

from node.host import digests
from node.host.plain import mapping
from node.host.system import System
from node.huggingface import cache, record
from node.state.manifest import Journal

CONFIGS = ("config.json", "params.json")
WEIGHTS = (".safetensors", ".gguf", ".bin", ".pt", ".pth")
MAIN = "main"


def revision_of(want: Mapping[str, object]) -> str:
    """What an engine asks the cache for: the declared revision, or the main branch."""
    return str(want.get("revision") or MAIN)


def local_commit(system: System, want: Mapping[str, str]) -> str | None:
    """The commit that is wanted and looks whole here, by its file names alone."""
    root = cache.folder(want["cache"], want["handle"])
    commit = cache.commit_of(system, root, revision_of(want))
    return commit if commit and looks_whole(system, root, commit) else None


def looks_whole(system: System, root: str, commit: str) -> bool:
    """A config, weights, each file that an index names, and no link that leads nowhere."""
    names = {one.name for one in cache.files(system, root, commit)}
    if cache.dangling(system, root, commit) or not names.intersection(CONFIGS):
        return False
    return any(name.endswith(WEIGHTS) for name in names) and all(
        shard in names for shard in _indexed(system, cache.snapshot(root, commit), names)
    )


def _indexed(system: System, top: str, names: set[str]) -> list[str]:
    import json

    found: list[str] = []
    for name in names:
        if name.endswith(".index.json"):
            try:
                index = mapping(json.loads(system.read(f"{top}/{name}") or ""))
            except ValueError:
                return ["an index that can be read"]
            found += {str(shard) for shard in mapping(index.get("weight_map")).values()}
    return found


def damaged(system: System, root: str, commit: str, known: record.Record | None) -> list[str]:
    """Places whose bytes are not what their name or an earlier record says."""
    before = {part.place: part.digest for part in known.parts.values()} if known else {}
    expected = {}
    for one in cache.files(system, root, commit):
        digest = digests.named_by(one.place) or before.get(one.place)
        if digest:
            expected[one.place] = digest
    return digests.wrong(system.path(root), expected, lambda count: None)


def settle(journal: Journal, want: Mapping[str, str], commit: str) -> record.Record:
    """Record the model as verified, and let its revision name the commit."""
    root = cache.folder(want["cache"], want["handle"])
    cache.name_commit(journal.system, root, revision_of(want), commit)
    parts = {
        one.name: record.Part(one.place, one.size, one.mtime_ns, _digest(journal.system, root, one))
        for one in cache.files(journal.system, root, commit)
    }
    found = record.Record(want["handle"], root, revision_of(want), commit, parts)
    record.write(journal, found)
    return found


def _digest(system: System, root: str, one: cache.CachedFile) -> str:
    """A file without such a name is taken as it is: there is nothing to compare it with."""
    found = digests.named_by(one.place)
    return found or digests.of(system.path(f"{root}/{one.place}"), digests.SHA256)
