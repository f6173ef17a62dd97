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
FROM = {"spark": "direct-2-untouched", "spark-switch": "switch-3-untouched"}
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


def constructed(stack: str) -> dict[str, Any]:
    """The whole document of recorded facts for one of the repository's stacks."""
    recorded = json.loads((DATA / "facts" / f"{FROM[stack]}.json").read_text())
    nodes = {name: _node(report) for name, report in recorded["nodes"].items()}
    return {**recorded, "constructed": MARK, "nodes": nodes}


def _node(report: Mapping[str, Any]) -> dict[str, Any]:
    document = report["document"]
    facts = document["facts"]
    changed = {
        **facts,
        "host": {**facts["host"], **HOST},
        "memory": {**facts["memory"], **MEMORY},
        "disk": {name: {**space, **DISK} for name, space in facts["disk"].items()},
        "docker": {**facts["docker"], "version": DOCKER_VERSION},
        "clock": CLOCK,
        "interfaces": [_interface(one) for one in facts["interfaces"]],
    }
    steps = {**document["steps"], "native_venv": _venv()}
    return {**report, "document": {**document, "facts": changed, "steps": steps}}


def _interface(one: Mapping[str, Any]) -> dict[str, Any]:
    """The QSFP halves are a ConnectX-7's (connect-three-sparks), whose driver is mlx5_core."""
    return {**one, "kind": None, "driver": "mlx5_core"} if one["hca"] else dict(one)


def _venv() -> dict[str, Any]:
    nothing: dict[str, Any] = {
        "path": None,
        "foreign": False,
        "python": None,
        "packages": {},
        "links": {},
    }
    return {**nothing, "free_bytes": DISK["free_bytes"], "missing": PYTHON}


def text(stack: str) -> str:
    return json.dumps(constructed(stack), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    for each in FROM:
        (FOLDER / f"{each}.json").write_text(text(each))
