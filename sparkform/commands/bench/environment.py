"""The load generator's own Python environment, in the user's cache folder, made on first use.

Every file has the digest that the lock names. Not the node's way (node/python): a control machine
may be a Mac, and one package of 143 comes as source for some machines and is built there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from sparkform.commands.bench.failure import BenchError

LOCK = "aiperf.txt"
COMPLETE = "complete"
NEEDED_GIB = 3.0
"""Measured: 1.2 GiB installed; pip unpacks downloads beside them."""

DIGITS = 12
INSTALL = (
    *("-I", "-m", "pip", "install", "--require-hashes", "--no-deps", "--no-input"),
    *("--disable-pip-version-check", "--no-warn-script-location", "--progress-bar", "off"),
    *("--root-user-action", "ignore"),
)
ShowProgress = Callable[[str], None]


def read_lock() -> str:
    return resources.files("sparkform.bench").joinpath("data", LOCK).read_text(encoding="utf-8")


def get_cache_folder() -> Path:
    """As the XDG Base Directory Specification says."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sparkform"


def get_environment_folder(lock: str) -> Path:
    """Another lock or another Python has another folder: one that is there never changes."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(f"{version}\n{lock}".encode()).hexdigest()[:DIGITS]
    return get_cache_folder() / f"bench-{digest}"


def find_environment() -> Path | None:
    """A complete one that is there."""
    folder = get_environment_folder(read_lock())
    return folder if (folder / COMPLETE).is_file() else None


def ensure_environment(show: ShowProgress) -> Path:
    """The folder of a complete environment. Raises BenchError where it cannot be made.

    One that was interrupted is made again: pip's own cache keeps what it had fetched.
    """
    lock = read_lock()
    folder = get_environment_folder(lock)
    if (folder / COMPLETE).is_file():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _hold_lock(folder.with_suffix(".lock")):
            if not (folder / COMPLETE).is_file():
                _build_environment(folder, lock, show)
    except OSError as error:
        raise BenchError(f"The load generator cannot be installed in {folder}: {error}.") from None
    return folder


def _build_environment(folder: Path, lock: str, show: ShowProgress) -> None:
    free_gib = shutil.disk_usage(folder.parent).free / 2**30
    if free_gib < NEEDED_GIB:
        raise BenchError(
            f"The load generator needs {NEEDED_GIB:g} GiB in {folder.parent}, and {free_gib:.1f} "
            "are free; free some, or set XDG_CACHE_HOME."
        )
    total = sum("==" in line for line in lock.splitlines())
    show(f"installing aiperf and what it needs into {folder}, once (about 250 MB are fetched)")
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, stdout=subprocess.DEVNULL)
    (folder / LOCK).write_text(lock, encoding="utf-8")
    _run_pip(folder, total, show)
    (folder / COMPLETE).touch()


def _run_pip(folder: Path, total: int, show: ShowProgress) -> None:
    argv: list[str | Path] = [folder / "bin" / "python", *INSTALL, "-r", folder / LOCK]
    with (
        open(folder / "pip.log", "w+", encoding="utf-8") as log,
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, text=True) as pip,
    ):
        assert pip.stdout is not None
        for number, name in enumerate(_list_collected(pip.stdout), 1):
            show(f"package {number} of at most {total}: {name}")
        if pip.wait() == 0:
            return
        log.seek(0)
        lines = [line.strip() for line in log if line.startswith("ERROR")]
    reason = lines[-1] if lines else f"pip ended with {pip.returncode}"
    raise BenchError(
        f"The load generator cannot be installed: {reason} (all of it: {folder}/pip.log). "
        "--driver vllm needs nothing here."
    )


def _list_collected(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line.startswith("Collecting "):
            yield line.split()[1]


@contextmanager
def _hold_lock(path: Path) -> Iterator[None]:
    """Two benchmarks that begin together install once."""
    with open(path, "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
