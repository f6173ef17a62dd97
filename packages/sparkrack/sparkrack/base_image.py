"""A base of Debian packages: a tar file that is kept, and the image that Docker makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sparkrack import commands, debian
from sparkrack.host import Notify, ask, must
from sparkrack.paths import cache_folder, read_package_list


@dataclass(frozen=True)
class BaseImage:
    """`name` without its tag; `file_prefix` of the tar file; `packages`: a file that lists them."""

    name: str
    file_prefix: str
    packages: Path
    needed_gib: float

    @property
    def digest(self) -> str:
        return debian.hash_packages(read_package_list(self.packages))

    @property
    def reference(self) -> str:
        return f"{self.name}:{self.digest}"

    def ensure(self, notify: Notify) -> None:
        """Make it where it is missing. Needs a running dockerd."""
        if has_image(self.reference):
            return
        file = cache_folder() / f"{self.file_prefix}-{self.digest}.tar"
        if not file.exists():
            debian.make_tar(file, read_package_list(self.packages), self.needed_gib, notify)
        must([commands.DOCKER, "import", str(file), self.reference])


def has_image(name: str) -> bool:
    return ask([commands.DOCKER, "image", "inspect", name]).code == 0
