"""A model from the hub into a cache, with the real client, as the user who owns the cache."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Mapping

from node.errors import StepError
from node.host import digests, users
from node.host.progress import TransferProgress, format_size
from node.host.system import System
from node.huggingface import cache, environment
from node.huggingface.client import HF
from node.huggingface.look import HubModel

SPARE_BYTES = 1024**3
"""What must stay free beside the model: an engine writes logs and kernels."""
PAUSE_S = 0.5


def count_missing_bytes(system: System, root: str, model: HubModel) -> int:
    """Bytes still to come: what neither a blob nor the unfinished part of one holds."""
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
    """Raises Refusal before anything is moved where it cannot fit."""
    free = shutil.disk_usage(system.path(folder)).free
    if needed and needed + SPARE_BYTES > free:
        raise StepError(
            f"{subject} needs {format_size(needed)} more in {folder}, beside "
            f"{format_size(SPARE_BYTES)} that must "
            f"stay free, and {format_size(free)} are free. Make room, or set modelDirectory "
            f"elsewhere."
        )


def download(system: System, want: Mapping[str, str], model: HubModel, token: str | None) -> str:
    """Download what is missing; returns how much came. Raises Refusal with the client's words."""
    root = cache.get_model_folder(want["cache"], want["handle"])
    missing_bytes = count_missing_bytes(system, root, model)
    progress = TransferProgress(want["handle"], model.bytes, model.bytes - missing_bytes)
    argv = [
        *_build_user_prefix(*users.get_user_ids(system, want["user"])),
        HF,
        "download",
        want["handle"],
        "--revision",
        model.commit,
    ]
    with tempfile.TemporaryFile() as output:
        variables = environment.build_environment(system, token)
        process = system.start([*argv, "--cache-dir", want["cache"]], variables, output)
        try:
            while process.poll() is None:
                time.sleep(PAUSE_S)
                progress.set_done(model.bytes - count_missing_bytes(system, root, model))
        finally:
            process.kill()
            process.wait()
            _remove_locks(system, want)
        if process.returncode:
            output.seek(0)
            raise StepError(_format_failure(output.read().decode("utf-8", "replace"), want))
    progress.set_done(model.bytes)
    return progress.summarize()


def _build_user_prefix(uid: int, gid: int) -> list[str]:
    """As that user, and gone when this program is: nobody would watch it any more."""
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


def _format_failure(output: str, want: Mapping[str, str]) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if "No space left on device" in output:
        return f"{want['cache']} is full; make room and run `pulumi up`, which goes on from here."
    return f"The download of {want['handle']} failed: {' '.join(lines[-2:])[-400:] or 'no word'}"


def _remove_locks(system: System, want: Mapping[str, str]) -> None:
    """The client leaves empty lock files for ever."""
    locks = f"{want['cache']}/.locks"
    shutil.rmtree(system.path(cache.get_model_folder(locks, want["handle"])), ignore_errors=True)
    system.remove_directory(locks)


def remove_mismatches(system: System, root: str, model: HubModel) -> list[str]:
    """Names of files whose bytes are not what the hub says; they are removed."""
    paths = {cached.name: cached.path for cached in cache.list_files(system, root, model.commit)}
    missing = [name for name in model.files if name not in paths]
    expected = {paths[name]: file.digest for name, file in model.files.items() if name in paths}
    mismatched = set(digests.find_mismatches(system.path(root), expected, lambda count: None))
    for path in mismatched:
        system.path(f"{root}/{path}").unlink(missing_ok=True)
    return sorted([*missing, *(name for name, path in paths.items() if path in mismatched)])
