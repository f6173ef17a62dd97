"""Makes the parcel for a machine without a network: engine, launches, models, agent, proof.

python -m benchmarks.gpu_proof.parcel FOLDER [--architecture 90]
"""

from __future__ import annotations

import io
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.gpu_proof.dummy_models import write_models
from benchmarks.gpu_proof.fatbin import blank_others
from benchmarks.gpu_proof.planned import write_launches
from sparkform.launch import scripts
from sparkform.ssh.agent import build_zipapp

ROOT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).with_name("engine.txt")
PYTHON_VERSION = "3.12"
PLATFORMS = [
    *(f"manylinux_2_{minor}_x86_64" for minor in range(5, 40)),
    *("manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "any"),
]
LIBRARIES = (
    "vllm/_C_stable_libtorch.abi3.so",
    "vllm/_moe_C_stable_libtorch.abi3.so",
    "vllm/vllm_flash_attn/_vllm_fa3_C.abi3.so",
)
LEFT_OUT = (
    "vllm/vllm-rs",
    "vllm/vllm_flash_attn/_vllm_fa2_C.abi3.so",
    "vllm/_flashmla_C.abi3.so",
    "vllm/_flashmla_extension_C.abi3.so",
    "vllm/_qutlass_C.abi3.so",
    "outlines_core",
    "vllm/third_party/deep_gemm",
    "vllm/third_party/fmha_sm100",
    "mistral_common/data",
    "pycountry/locales",
    "bin",
)
"""Nothing of these is loaded by a GPU of compute capability 9.0, or by these models."""

PROOF_PACKAGES = ("node", "benchmarks/gpu_proof")
PROOF_MAIN = (
    "import sys\nfrom benchmarks.gpu_proof.there.proof import main\nsys.exit(main(sys.argv[1:]))\n"
)
PRESET = 9 | lzma.PRESET_EXTREME


def main(
    folder: Annotated[Path, typer.Argument(help="Where the parcel is made; must not exist.")],
    architecture: Annotated[int, typer.Option(help="90 for compute capability 9.0.")] = 90,
    wheels: Annotated[
        Path | None, typer.Option(help="Where wheels are kept between two parcels.")
    ] = None,
) -> None:
    """Ends with the parcel's size in MiB."""
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        site, models = scratch / "site", scratch / "models"
        install_engine(wheels or scratch / "wheels", site)
        slim_engine(site, architecture)
        write_models(models)
        write_launches(folder / "launches", scratch)
        for source in (site, models):
            pack_folder(source, folder / f"{source.name}.tar.xz")
    (folder / "node.pyz").write_bytes(build_zipapp())
    (folder / "proof.pyz").write_bytes(build_proof())
    start = scripts.join_script(scripts.IMAGE_ENTRYPOINT, scripts.EXEC_ARGUMENTS)
    (folder / "start").write_text(start)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {size / 2**20:.1f} MiB")


def install_engine(wheels: Path, site: Path) -> None:
    """Pinned wheels for the other machine's Python, checked by their hashes and unpacked."""
    wheels.mkdir(parents=True, exist_ok=True)
    platforms = [f"--platform={platform}" for platform in PLATFORMS]
    versions = ["--implementation=cp", "--abi=cp312", "--abi=abi3", "--abi=none"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    options = ["--only-binary=:all:", f"--python-version={PYTHON_VERSION}", *versions, *platforms]
    subprocess.run(
        [*command, *options, f"--find-links={wheels}", "-d", str(wheels), "-r", str(REQUIREMENTS)],
        check=True,
    )
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)


def slim_engine(site: Path, architecture: int) -> None:
    for name in LEFT_OUT:
        path = site / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for name in LIBRARIES:
        path = site / name
        path.write_bytes(blank_others(path.read_bytes(), architecture))


def pack_folder(source: Path, target: Path) -> None:
    """Files of one kind side by side pack smaller."""
    files = sorted(
        (path for path in source.rglob("*") if path.is_file()),
        key=lambda path: (path.suffix, path.name, str(path)),
    )
    with (
        lzma.open(target, "wb", preset=PRESET) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in files:
            archive.add(path, str(path.relative_to(source)), filter=_forget_owner)


def _forget_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry


def build_proof() -> bytes:
    """The proof's own program as a zipapp: the agent's modules and these."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__main__.py", PROOF_MAIN)
        archive.writestr("benchmarks/__init__.py", "")
        for path in _list_sources():
            archive.write(path, str(path.relative_to(ROOT)))
    return buffer.getvalue()


def _list_sources() -> Iterable[Path]:
    for package in PROOF_PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.suffix in (".py", ".csv"):
                yield path


if __name__ == "__main__":
    os.environ.setdefault("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    typer.run(main)
