"""A complete model on this node: read once, compared with its digests, and recorded."""

from __future__ import annotations

import json

from node.host import digests
from node.host.plain import as_mapping
from node.host.system import System
from node.huggingface import cache, record
from node.huggingface.cache import ModelLocation
from node.state.manifest import Manifest

CONFIGS = ("config.json", "params.json", "adapter_config.json")
WEIGHTS = (".safetensors", ".gguf", ".bin", ".pt", ".pth")
MAIN = "main"
"""The branch that is meant where no revision is declared."""


def find_local_commit(system: System, location: ModelLocation, revision: str) -> str | None:
    """The commit of the revision, where it is complete by its file names."""
    commit = cache.resolve_commit(system, location.root, revision)
    return commit if commit and is_complete(system, location.root, commit) else None


def is_complete(system: System, root: str, commit: str) -> bool:
    """Whether there are config, weights and each file that an index names, and no dangling link."""
    names = {file.name for file in cache.list_files(system, root, commit)}
    if cache.list_dangling_links(system, root, commit) or not names.intersection(CONFIGS):
        return False
    return any(name.endswith(WEIGHTS) for name in names) and all(
        shard in names
        for shard in _list_indexed_shards(system, cache.get_snapshot_folder(root, commit), names)
    )


def _list_indexed_shards(system: System, top: str, names: set[str]) -> list[str]:
    shards: list[str] = []
    for name in names:
        if name.endswith(".index.json"):
            try:
                index = as_mapping(json.loads(system.read(f"{top}/{name}") or ""))
            except ValueError:
                return ["a readable index"]
            shards += {str(shard) for shard in as_mapping(index.get("weight_map")).values()}
    return shards


def find_damaged(
    system: System, root: str, commit: str, known_record: record.ModelRecord | None
) -> list[str]:
    """Paths of files whose digest is not that of their name or of an earlier record."""
    known_digests = (
        {known_file.path: known_file.digest for known_file in known_record.files.values()}
        if known_record
        else {}
    )
    expected = {}
    for file in cache.list_files(system, root, commit):
        digest = digests.parse_blob_digest(file.path) or known_digests.get(file.path)
        if digest:
            expected[file.path] = digest
    return digests.find_mismatches(system.path(root), expected, lambda count: None)


def record_verified(
    manifest: Manifest, location: ModelLocation, revision: str, commit: str
) -> record.ModelRecord:
    """Record the model as verified, and write the commit of its revision."""
    system, root = manifest.system, location.root
    cache.write_ref(system, root, revision, commit)
    files = {
        file.name: record.VerifiedFile(
            file.path, file.size, file.mtime_ns, _get_digest(system, root, file)
        )
        for file in cache.list_files(system, root, commit)
    }
    verified = record.ModelRecord(location.handle, root, revision, commit, files)
    record.write_record(manifest, verified)
    return verified


def _get_digest(system: System, root: str, file: cache.CachedFile) -> str:
    """A file without a digest in its name is hashed as it is: there is nothing to compare it to."""
    named = digests.parse_blob_digest(file.path)
    return named or digests.hash_file(system.path(f"{root}/{file.path}"), digests.SHA256)
