"""The parcel is unpacked once: the engine's packages, models without weights, its command."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

from benchmarks.gpu_proof.there.launches import Parcel

ENGINE_COMMAND = f"""#!/bin/sh
exec {sys.executable} -m vllm.entrypoints.cli.main "$@"
"""


def unpack_parcel(folder: Path, scratch: Path) -> Parcel:
    parcel = Parcel(folder, scratch / "site", scratch / "bin")
    if not (scratch / "unpacked").exists():
        for name in ("site", "models"):
            with tarfile.open(folder / f"{name}.tar.xz") as archive:
                archive.extractall(scratch / name, filter="data")
        write_command(parcel.bin)
        (scratch / "unpacked").touch()
    return parcel


def write_command(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vllm").write_text(ENGINE_COMMAND)
    (folder / "vllm").chmod(0o755)
