"""What `nvidia-smi` prints for one GB10; pure, so that tests compare it with recordings."""

from __future__ import annotations

import datetime
from typing import Any

from .smi_fields import ALIASES, NOT_AVAILABLE, UNITS, build_values

RULE = "+" + "-" * 41 + "+" + "-" * 24 + "+" + "-" * 22 + "+"
FULL_RULE = "+" + "-" * 89 + "+"
HEAD = """\
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|                                         |                        |               MIG M. |
|=========================================+========================+======================|"""
PROCESSES = """\
| Processes:                                                                              |
|  GPU   GI   CI              PID   Type   Process name                        GPU Memory |
|        ID   ID                                                               Usage      |
|=========================================================================================|
|  No running processes found                                                             |"""
TOPOLOGY = """\
\tGPU0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID
GPU0\t X \t0-19\t0\t\tN/A

Legend:

  X    = Self
  SYS  = Connection traversing PCIe as well as the SMP interconnect between NUMA nodes \
(e.g., QPI/UPI)
  NODE = Connection traversing PCIe as well as the interconnect between PCIe Host Bridges \
within a NUMA node
  PHB  = Connection traversing PCIe as well as a PCIe Host Bridge (typically the CPU)
  PXB  = Connection traversing multiple PCIe bridges (without traversing the PCIe Host Bridge)
  PIX  = Connection traversing at most a single PCIe bridge
  NV#  = Connection traversing a bonded set of # NVLinks
"""


def render_table(gpu: dict[str, Any], now: datetime.datetime) -> str:
    """The plain answer of `nvidia-smi`."""
    driver, power = gpu["driver_version"], f"{gpu['power_draw_w']:.0f}W"
    persistence = "On" if gpu["persistence_mode"] == "Enabled" else "Off"
    display = "On" if gpu["display_active"] == "Enabled" else "Off"
    usage = f"{gpu['utilization_percent']}%"
    lines = [
        now.strftime("%a %b %e %H:%M:%S %Y") + " " * 7,
        FULL_RULE,
        f"| NVIDIA-SMI {driver:<22} Driver Version: {driver:<14} "
        f"CUDA Version: {gpu['cuda_version']:<8} |",
        RULE,
        HEAD,
        f"|   0  {gpu['name']:<29}{persistence:>4}  |   {gpu['pci_bus_id']} {display:>3} |"
        "                  N/A |",
        f"| N/A {gpu['temperature_c']:>4}C {gpu['pstate']:>5} {power:>15} /  N/A  |"
        f" Not Supported          | {usage:>7}      Default |",
        "|                                         |                        |"
        "                  N/A |",
        *(RULE, "", FULL_RULE, PROCESSES, FULL_RULE),
    ]
    return "\n".join(lines) + "\n"


def render_listing(gpu: dict[str, Any]) -> str:
    """The answer of `nvidia-smi -L`."""
    return f"GPU 0: {gpu['name']} (UUID: {gpu['uuid']})\n"


def render_versions(gpu: dict[str, Any]) -> str:
    """The answer of `nvidia-smi --version`."""
    return (
        f"NVIDIA-SMI version  : {gpu['driver_version']}\n"
        f"NVML version        : {gpu['nvml_version']}\n"
        f"DRIVER version      : {gpu['driver_version']}\n"
        f"CUDA Version        : {gpu['cuda_version']}\n"
    )


def find_unknown(fields: list[str], gpu: dict[str, Any]) -> str | None:
    """The first field of a query that nvidia-smi does not have."""
    known = build_values(gpu, datetime.datetime.min)
    return next((name for name in fields if ALIASES.get(name, name) not in known), None)


def render_csv(
    gpu: dict[str, Any], fields: list[str], options: set[str], now: datetime.datetime
) -> str:
    """The answer of `nvidia-smi --query-gpu=FIELDS --format=csv[,noheader][,nounits]`."""
    known = build_values(gpu, now)
    names = [ALIASES.get(name, name) for name in fields]
    header = [
        f"{field} [{UNITS[name]}]" if name in UNITS else field
        for field, name in zip(fields, names, strict=True)
    ]
    row = [
        f"{known[name]} {UNITS[name]}"
        if name in UNITS and known[name] != NOT_AVAILABLE and "nounits" not in options
        else known[name]
        for name in names
    ]
    rows = [row] if "noheader" in options else [header, row]
    return "".join(", ".join(cells) + "\n" for cells in rows)
