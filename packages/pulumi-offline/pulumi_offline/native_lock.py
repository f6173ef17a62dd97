"""`python -m pulumi_offline.native_lock`: the locks of native engines, for a Spark, made anywhere.

uv resolves for a Spark's system; pip fetches the one wheel a package that a Spark would take, and
its digest goes into the lock. 4 GB are fetched into a scratch folder. No host name is written.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from pulumi_offline.files import create_scratch_folder, write_atomically
from pulumi_offline.layout import CLONE, Layout
from pulumi_offline.machine import run

LOCKS = CLONE / "sparkform" / "catalogue" / "data" / "native"
PACKAGES, NCCL = LOCKS / "vllm.txt", LOCKS / "nccl.txt"
REQUIREMENTS = ("vllm==0.32.0", "ray==2.60.0")
"""The newest vLLM whose options were read (docs/design/launches.md), and a Ray that was tried."""

NCCL_PIN = "nvidia-nccl-cu13==2.30.7"
NCCL_NAME = NCCL_PIN.partition("==")[0]
PYTHON = "3.12"
GLIBC = 39
"""DGX OS 7 is Ubuntu 24.04: Python 3.12, glibc 2.39."""

PLATFORMS = ("manylinux2014_aarch64", *(f"manylinux_2_{n}_aarch64" for n in range(17, GLIBC + 1)))
HEADER = "# Written by `python -m pulumi_offline.native_lock`; do not change by hand."


def main() -> None:
    layout = Layout(CLONE)
    with create_scratch_folder(layout.toolchain) as folder:
        binaries = _install_tools(folder)
        pins = [*list_pins(_compile(binaries, folder)), NCCL_PIN]
        wheels = _fetch(binaries, folder, pins)
        lines = dict(render_lines(wheels))
    nccl = lines.pop(NCCL_NAME)
    write_atomically(PACKAGES, render_lock(PACKAGES, lines))
    write_atomically(NCCL, render_lock(NCCL, {NCCL_NAME: nccl}))


def list_pins(text: str) -> list[str]:
    """The pins of a requirements text but for NCCL, which has a lock of its own. Pure."""
    lines = [line.strip() for line in text.splitlines()]
    pins = [line for line in lines if line and not line.startswith("#")]
    return [pin for pin in pins if not pin.startswith(f"{NCCL_NAME}==")]


def render_lines(wheels: Iterable[Path]) -> Iterable[tuple[str, str]]:
    """A line of the lock by package name."""
    for path in sorted(wheels):
        name, version = path.name.split("-")[:2]
        name = re.sub(r"[-_.]+", "-", name).lower()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        yield name, f"{name}=={version} --hash=sha256:{digest}"


def _install_tools(folder: Path) -> Path:
    run([sys.executable, "-m", "venv", folder / "venv"], folder, os.environ)
    pip: list[str | Path] = [folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "uv"]
    run(pip, folder, os.environ)
    return folder / "venv" / "bin"


def _compile(binaries: Path, folder: Path) -> str:
    requirements, pins = folder / "asked.txt", folder / "pins.txt"
    requirements.write_text("\n".join(REQUIREMENTS) + "\n")
    system = ("--python-platform", f"aarch64-manylinux_2_{GLIBC}", "--python-version", PYTHON)
    options = ("--only-binary", ":all:", "--no-annotate", "--no-header", "--quiet")
    uv: list[str | Path] = [
        binaries / "uv",
        "pip",
        "compile",
        requirements,
        *system,
        *options,
        "-o",
        pins,
    ]
    run(uv, folder, os.environ)
    return pins.read_text()


def _fetch(binaries: Path, folder: Path, pins: Iterable[str]) -> list[Path]:
    listed, wheels = folder / "listed.txt", folder / "wheels"
    listed.write_text("\n".join(pins) + "\n")
    platforms = [argument for platform in PLATFORMS for argument in ("--platform", platform)]
    options = ("--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--quiet")
    pip: list[str | Path] = [binaries / "python", "-m", "pip", "download", *options, *platforms]
    run([*pip, "--python-version", PYTHON, "-d", wheels, "-r", listed], folder, os.environ)
    return list(wheels.glob("*.whl"))


def render_lock(path: Path, lines: Mapping[str, str]) -> str:
    """The comment that the file has, and the new lines."""
    comment = [line for line in path.read_text().splitlines() if line.startswith("#")]
    return "\n".join([*(comment or [HEADER]), *(lines[name] for name in sorted(lines))]) + "\n"


if __name__ == "__main__":
    main()
