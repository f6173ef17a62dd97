"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Write `text` beside `path` and rename it there, with `mode` from the first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


@contextmanager
def create_scratch_folder(parent: Path) -> Iterator[Path]:
    """A folder in `parent` that is gone afterwards, unless it was renamed away."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=".making-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def replace_folder(new: Path, path: Path) -> None:
    """Move the folder or link `new` to `path`, and remove what is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with create_scratch_folder(path.parent) as aside:
        if path.is_symlink() or path.exists():
            path.rename(aside / path.name)
        new.rename(path)


def copy_or_link(source: Path, target: Path) -> None:
    """A second name for a large file where the file system allows it, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def measure_tree(folder: Path) -> int:
    """The size of all files below `folder`, as far as they can be seen now."""
    return sum(size for parent, _, names in os.walk(folder) for size in list_sizes(parent, names))


def list_sizes(parent: str, names: Iterable[str]) -> Iterator[int]:
    for name in names:
        # A file may be renamed away while it is looked at.
        with suppress(FileNotFoundError):
            yield os.lstat(os.path.join(parent, name)).st_size
