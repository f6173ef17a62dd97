"""The node program as a zipapp, made in memory from the package `node` beside this one.

The same sources give the same bytes everywhere: names sorted, one fixed time, no compression (the
deflate streams of two zlib versions differ). Its sha256 is what the agent compares.
"""

from __future__ import annotations

import base64
import bz2
import functools
import io
import zipfile
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "node"
# Modules, and the tables beside them.
SUFFIXES = (".py", ".csv")
# The oldest time that a zip can hold.
_TIME = (1980, 1, 1, 0, 0, 0)
_MAIN = "import sys\nfrom node.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"

# Python's own zip importer needs a path and a pipe has none, so the program goes through memfd.
# One line without newlines or exclamation marks: the login shell may be a csh.
BOOTSTRAP = (
    "import os,runpy,sys;"
    'number=os.memfd_create("node");'
    'file=os.fdopen(number,"wb",closefd=False);'
    "file.write(sys.stdin.buffer.read());"
    "file.close();"
    'path="/proc/self/fd/%d"%number;'
    "sys.argv[0]=path;"
    'runpy.run_path(path,run_name="__main__")'
)


@functools.cache
def build_zipapp(sources: Path = SOURCES) -> bytes:
    """The bytes of the zipapp that holds the package in `sources`."""
    texts = {
        f"node/{path.relative_to(sources).as_posix()}": path.read_bytes()
        for path in sources.rglob("*")
        if path.suffix in SUFFIXES
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted({**texts, "__main__.py": _MAIN.encode()}.items()):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def pack_zipapp(program: bytes) -> str:
    """The zipapp as it travels in a resource: bzip2 in base64, under a third of its size.

    A stack's state and the log of each run hold it several times a node. Not deflate: zlib and
    zlib-ng give different bytes, and an agent would differ between two control machines.
    """
    return base64.b64encode(bz2.compress(program)).decode("ascii")
