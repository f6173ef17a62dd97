"""A model from the hub into a cache, with the real client, as the user who owns the cache."""

from __future__ import annotations

import os
import shutil
import tempfile
import time

from node.errors import StepError
from node.host import digests, users
from node.host.progress import TransferProgress, format_size
from node.host.system import System
from node.huggingface import cache, environment
from node.huggingface.cache import ModelLocation
from node.huggingface.client import HF
from node.huggingface.hub_query import HubModel

SPARE_BYTES = 1024**3
"""Stays free beside the model: an engine writes logs and kernels."""
PAUSE_S = 0.5


def count_missing_bytes(system: System, root: str, model: HubModel) -> int:
    """Bytes that neither a blob nor the unfinished part of one holds."""
    blobs = system.path(f"{root}/blobs")
    total = 0
    for file in model.files.values():
        blob = blobs / file.digest.partition(":")[2]
        candidates = (path for path in (blob, blob.with_name(blob.name + cache.UNFINISHED)))
        total += file.size - min(file.size, max(map(_get_size, candidates)))
    return total


def _get_size(path: os.PathLike[str]) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def require_space(system: System, folder: str, needed: int, subject: str) -> None:
    """Raises StepError where `needed` bytes do not fit into the folder."""
    free = shutil.disk_usage(system.path(folder)).free
    if needed and needed + SPARE_BYTES > free:
        raise StepError(
            f"{subject} needs {format_size(needed)} in {folder}, {format_size(SPARE_BYTES)} must "
            f"stay free, and {format_size(free)} are free. Free some space, or set modelDirectory "
            "elsewhere."
        )


def download(system: System, location: ModelLocation, model: HubModel, token: str | None) -> str:
    """Download what is missing; returns how much. Raises StepError with the client's output."""
    root = location.root
    missing_bytes = count_missing_bytes(system, root, model)
    progress = TransferProgress(location.handle, model.bytes, model.bytes - missing_bytes)
    argv = [
        *_build_user_prefix(*users.get_user_ids(system, location.user)),
        HF,
        "download",
        location.handle,
        "--revision",
        model.commit,
    ]
    with tempfile.TemporaryFile() as output:
        variables = environment.build_environment(system, token)
        process = system.start([*argv, "--cache-dir", location.cache], variables, output)
        try:
            while process.poll() is None:
                time.sleep(PAUSE_S)
                progress.set_done(model.bytes - count_missing_bytes(system, root, model))
        finally:
            process.kill()
            process.wait()
            _remove_locks(system, location)
        if process.returncode:
            output.seek(0)
            raise StepError(_format_failure(output.read().decode("utf-8", "replace"), location))
    progress.set_done(model.bytes)
    return progress.summarize()


def _build_user_prefix(uid: int, gid: int) -> list[str]:
    """Run as that user, and end when this program ends: nothing would watch the client then."""
    return [
        "setpriv",
        "--reuid",
        str(uid),
        "--regid",
        str(gid),
        "--init-groups",
        "--pdeathsig",
        "KILL",
    ]


def _format_failure(output: str, location: ModelLocation) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if "No space left on device" in output:
        return f"{location.cache} is full; free some space and run `pulumi up`, which resumes."
    return f"The download of {location.handle} failed: {' '.join(lines[-2:])[-400:] or 'no output'}"


def _remove_locks(system: System, location: ModelLocation) -> None:
    """The client never removes its empty lock files."""
    locks = f"{location.cache}/.locks"
    shutil.rmtree(system.path(cache.get_model_folder(locks, location.handle)), ignore_errors=True)
    system.remove_directory(locks)


def remove_mismatches(system: System, root: str, model: HubModel) -> list[str]:
    """Remove files with another digest than the hub names; returns their names and missing ones."""
    paths = {cached.name: cached.path for cached in cache.list_files(system, root, model.commit)}
    missing = [name for name in model.files if name not in paths]
    expected = {paths[name]: file.digest for name, file in model.files.items() if name in paths}
    mismatched = set(digests.find_mismatches(system.path(root), expected, lambda count: None))
    for path in mismatched:
        system.path(f"{root}/{path}").unlink(missing_ok=True)
    return sorted([*missing, *(name for name, path in paths.items() if path in mismatched)])
