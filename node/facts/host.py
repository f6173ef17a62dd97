"""Fact `host`: operating system, DGX OS release, kernel, architecture.

    {"hostname": "spark-1", "os": "Ubuntu 24.04.3 LTS", "os_id": "ubuntu", "os_version": "24.04",
     "dgx_name": "DGX Spark", "dgx_os": "7.3.1", "kernel": "6.14.0-1013-nvidia",
     "architecture": "aarch64", "kernel_parameters": ["root=/dev/nvme0n1p2", "quiet"],
     "machine": "b6a1…", "reboot_required": false}

`dgx_os` is the last over-the-air update (DGX_OTA_VERSION; updates are appended, so a file can hold
several), else the factory image (DGX_SWBUILD_VERSION). No /etc/dgx-release: both are null.
`machine` is a digest of /etc/machine-id, which must not leave the machine (machine-id(5)).
`reboot_required`: packages were installed that take effect at the next boot (update-notifier).
"""

from __future__ import annotations

import hashlib
from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import parse_assignments
from node.host.paths import REBOOT_REQUIRED


class HostFact(TypedDict):
    hostname: str
    kernel: str
    architecture: str
    os: str | None
    os_id: str | None
    os_version: str | None
    dgx_name: str | None
    dgx_os: str | None
    kernel_parameters: list[str] | None
    machine: str | None
    reboot_required: bool


def read(reader: FactReader, request: FactRequest) -> HostFact:
    return parse(
        os_release=reader.read_file("/etc/os-release"),
        dgx_release=reader.read_file_or_none("/etc/dgx-release"),
        uname=reader.run_command("uname", "-n", "-r", "-m"),
        cmdline=reader.read_file_or_none("/proc/cmdline"),
        machine_id=reader.read_file_or_none("/etc/machine-id"),
        reboot_required=reader.get_path(REBOOT_REQUIRED).exists(),
    )


def parse(
    os_release: str,
    dgx_release: str | None,
    uname: str,
    cmdline: str | None = None,
    machine_id: str | None = None,
    reboot_required: bool = False,
) -> HostFact:
    cells = uname.split()
    if len(cells) != 3:
        raise UnreadableFact("uname: expected host name, kernel release and machine")
    system, dgx = parse_assignments(os_release), parse_assignments(dgx_release or "")
    return {
        "hostname": cells[0],
        "kernel": cells[1],
        "architecture": cells[2],
        "os": system.get("PRETTY_NAME"),
        "os_id": system.get("ID"),
        "os_version": system.get("VERSION_ID"),
        "dgx_name": dgx.get("DGX_NAME"),
        "dgx_os": dgx.get("DGX_OTA_VERSION") or dgx.get("DGX_SWBUILD_VERSION"),
        "kernel_parameters": None if cmdline is None else cmdline.split(),
        "machine": _hash(machine_id.strip()) if machine_id else None,
        "reboot_required": reboot_required,
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
