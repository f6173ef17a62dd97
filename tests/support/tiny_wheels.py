"""Real wheels of a few bytes, and the lock that names them: pip takes them for any others."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Wheel:
    """One package with a module of its own, and more files by path."""

    name: str
    version: str
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        return f"{self._stem}-py3-none-any.whl"

    @property
    def content(self) -> bytes:
        """The same bytes each time."""
        info = f"{self._stem}.dist-info"
        files = {
            f"{self.name.replace('-', '_')}.py": f'VERSION = "{self.version}"\n',
            **self.files,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {self.name}\n"
            f"Version: {self.version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        rows = [f"{path},{_compute_digest(text)},{len(text)}" for path, text in files.items()]
        files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for path, text in files.items():
                archive.writestr(zipfile.ZipInfo(path), text)
        return packed.getvalue()

    @property
    def line(self) -> str:
        digest = hashlib.sha256(self.content).hexdigest()
        return f"{self.name}=={self.version} --hash=sha256:{digest}\n"

    @property
    def _stem(self) -> str:
        return f"{self.name.replace('-', '_')}-{self.version}"


def build_lock(wheels: Iterable[Wheel]) -> str:
    return "".join(wheel.line for wheel in wheels)


def pack_wheels(wheels: Iterable[Wheel]) -> bytes:
    """A tar of the wheels, to be unpacked on a node."""
    archive_bytes = io.BytesIO()
    with tarfile.open(fileobj=archive_bytes, mode="w") as archive:
        for wheel in wheels:
            entry = tarfile.TarInfo(wheel.file_name)
            entry.size, entry.mode = len(wheel.content), 0o644
            archive.addfile(entry, io.BytesIO(wheel.content))
    return archive_bytes.getvalue()


def _compute_digest(text: str) -> str:
    raw = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return f"sha256={raw.decode().rstrip('=')}"
