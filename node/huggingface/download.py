"""A model from the hub into a cache, with the real client, as the user who owns the cache."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Mapping

from node.errors import Refusal
from node.host import digests, users
from node.host.progress import Progress, size
from node.host.system import System
from node.huggingface import cache, environment
from node.huggingface.client import HF
from node.huggingface.look import Found

SPARE_BYTES = 1024**3
"""What must stay free beside the model: an engine writes logs and kernels."""
PAUSE_S = 0.5


def missing(system: System, root: str, found: Found) -> int:
    """Bytes still to come: what neither a blob nor the unfinished part of one holds."""
    blobs = system.path(f"{root}/blobs")
    total = 0
    for file in found.files.values():
        name = blobs / file.digest.partition(":")[2]
        there = (path for path in (name, name.with_name(name.name + cache.UNFINISHED)))
        total += file.size - min(file.size, max(map(_bytes, there)))
    return total


def _bytes(path: os.PathLike[str]) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def require_room(system: System, folder: str, needed: int, what: str) -> None:
    """Raises Refusal before anything is moved where it cannot fit."""
    free = shutil.disk_usage(system.path(folder)).free
    if needed and needed + SPARE_BYTES > free:
        raise Refusal(
            f"{what} needs {size(needed)} more in {folder}, beside {size(SPARE_BYTES)} that must "
            f"stay free, and {size(free)} are free. Make room, or set modelDirectory elsewhere."
        )


def run(system: System, want: Mapping[str, str], found: Found, token: str | None) -> str:
    """Download what is missing; returns how much came. Raises Refusal with the client's words."""
    root = cache.folder(want["cache"], want["handle"])
    left = missing(system, root, found)
    progress = Progress(want["handle"], found.bytes, found.bytes - left)
    argv = [
        *_as(*users.ids_of(system, want["user"])),
        HF,
        "download",
        want["handle"],
        "--revision",
        found.commit,
    ]
    with tempfile.TemporaryFile() as output:
        variables = environment.of_client(system, token)
        process = system.start([*argv, "--cache-dir", want["cache"]], variables, output)
        try:
            while process.poll() is None:
                time.sleep(PAUSE_S)
                progress.at(found.bytes - missing(system, root, found))
        finally:
            process.kill()
            process.wait()
            _forget_locks(system, want)
        if process.returncode:
            output.seek(0)
            raise Refusal(_failure(output.read().decode("utf-8", "replace"), want))
    progress.at(found.bytes)
    return progress.summary()


def _as(uid: int, gid: int) -> list[str]:
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


def _failure(said: str, want: Mapping[str, str]) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if "No space left on device" in said:
        return f"{want['cache']} is full; make room and run `pulumi up`, which goes on from here."
    return f"The download of {want['handle']} failed: {' '.join(lines[-2:])[-400:] or 'no word'}"


def _forget_locks(system: System, want: Mapping[str, str]) -> None:
    """The client leaves empty lock files for ever."""
    locks = f"{want['cache']}/.locks"
    shutil.rmtree(system.path(cache.folder(locks, want["handle"])), ignore_errors=True)
    system.remove_directory(locks)


def wrong(system: System, root: str, found: Found) -> list[str]:
    """Names of files whose bytes are not what the hub says; they are removed."""
    at = {one.name: one.place for one in cache.files(system, root, found.commit)}
    lost = [name for name in found.files if name not in at]
    expected = {at[name]: file.digest for name, file in found.files.items() if name in at}
    bad = set(digests.wrong(system.path(root), expected, lambda count: None))
    for place in bad:
        system.path(f"{root}/{place}").unlink(missing_ok=True)
    return sorted([*lost, *(name for name, place in at.items() if place in bad)])
