"""Facts of Sparks that nobody has recorded yet, made from those of a simulated rack.

`python -m tests.support.constructed` writes tests/data/constructed. What a rack of Debian nodes
cannot show is set to what a Spark is said to have, each with its source; everything else (names of
interfaces, RoCE devices, addresses) is as the rack recorded it. Nothing here was read on a Spark.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data"
FOLDER = DATA / "constructed"
SOURCE_RECORDINGS = {"spark": "direct-2-untouched", "spark-switch": "switch-3-untouched"}
"""By stack: the recording of a rack of that shape before its first `pulumi up`."""

MARK = (
    "constructed: recorded on a simulated rack, with the values of tests/support/constructed.py "
    "in the place of those that a rack cannot have; nothing of it was read on a DGX Spark"
)

HOST = {
    "architecture": "aarch64",  # atcuality2021/vllm-gb10, hardware requirements
    "os": "Ubuntu 24.04.3 LTS",  # atcuality2021/vllm-gb10: Ubuntu 24.04 or newer
    "os_id": "ubuntu",
    "os_version": "24.04",
    "dgx_os": "7.2.3",  # NVIDIA's DGX OS 7 is the release for Spark (Ubuntu 24.04)
    "kernel": "6.11.0-1016-nvidia",  # unverified: of the line that DGX OS 7 began with
}
MEMORY = {
    # 119.7 GiB are seen by the system (Avarok-Cybersecurity/dgx-vllm).
    "total_kib": 125514547,
    # Unverified: what is left beside a desktop that does nothing.
    "available_kib": 120795955,
    # Users report Sparks that swap; 16 GiB is Ubuntu's usual file (unverified).
    "swap_total_kib": 16777212,
    "swap_free_kib": 16777212,
    "swaps": [{"path": "/swap.img", "size_kib": 16777212}],
}
# 4 TB are sold (NVIDIA DGX Spark, hardware overview); how much is free is unverified.
DISK = {"total_bytes": 3935823216640, "free_bytes": 3500000000000}
DOCKER_VERSION = "28.3.3"  # unverified: the release of the time
CLOCK = {"synchronized": True, "daemon": "systemd-timesyncd", "offset_s": None}
PYTHON = {"3.12": ["python3.12-venv"]}  # unverified: Ubuntu brings Python without ensurepip


def build_recording(stack: str) -> dict[str, Any]:
    """The whole document of recorded facts for one of the repository's stacks."""
    recorded = json.loads((DATA / "facts" / f"{SOURCE_RECORDINGS[stack]}.json").read_text())
    nodes = {name: _build_node(result) for name, result in recorded["nodes"].items()}
    return {**recorded, "constructed": MARK, "nodes": nodes}


def _build_node(result: Mapping[str, Any]) -> dict[str, Any]:
    report = result["report"]
    facts = report["facts"]
    changed_facts = {
        **facts,
        "host": {**facts["host"], **HOST},
        "memory": {**facts["memory"], **MEMORY},
        "disk": {name: {**space, **DISK} for name, space in facts["disk"].items()},
        "docker": {**facts["docker"], "version": DOCKER_VERSION},
        "clock": CLOCK,
        "interfaces": [_build_interface(interface) for interface in facts["interfaces"]],
    }
    steps = {**report["steps"], "native_venv": _build_venv()}
    return {**result, "report": {**report, "facts": changed_facts, "steps": steps}}


def _build_interface(interface: Mapping[str, Any]) -> dict[str, Any]:
    """The QSFP halves are a ConnectX-7's (connect-three-sparks), whose driver is mlx5_core."""
    return (
        {**interface, "kind": None, "driver": "mlx5_core"} if interface["hca"] else dict(interface)
    )


def _build_venv() -> dict[str, Any]:
    empty: dict[str, Any] = {
        "path": None,
        "foreign": False,
        "python": None,
        "packages": {},
        "links": {},
    }
    return {**empty, "free_bytes": DISK["free_bytes"], "missing": PYTHON}


def render_recording(stack: str) -> str:
    return json.dumps(build_recording(stack), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    for stack_name in SOURCE_RECORDINGS:
        (FOLDER / f"{stack_name}.json").write_text(render_recording(stack_name))
