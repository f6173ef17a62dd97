"""The part of `nvidia-smi` that limits the GPU's clock, which a driver forgets when it is loaded.

Clocks are those of the node's data; a limit is a file below /run, gone after a reboot. The clocks
that the card takes, 15 MHz apart, are constructed: an H200 lists its own so (driver 580).
"""

from __future__ import annotations

import os
from typing import Any

from . import node

LIMIT = "/run/rack/gpu-clock-limit"
NO_PERMISSION, BAD_ARGUMENT = 4, 2
LOWEST_MHZ, STEP_MHZ = 300, 15


def list_supported(gpu: dict[str, Any]) -> list[int]:
    """Highest first, as the real tool lists them."""
    return list(range(LOWEST_MHZ, gpu["clock_max_mhz"] + 1, STEP_MHZ))[::-1]


def read_limit() -> int | None:
    path = node.resolve_path(LIMIT)
    return int(path.read_text()) if path.exists() else None


def apply_limit(gpu: dict[str, Any]) -> dict[str, Any]:
    """The data with the clock as it is under the limit."""
    limit = read_limit()
    return gpu if limit is None else {**gpu, "clock_sm_mhz": min(gpu["clock_sm_mhz"], limit)}


def change_limit(gpu: dict[str, Any], clocks: str | None) -> tuple[str, int]:
    return lock(gpu, clocks) if clocks else reset(gpu)


def lock(gpu: dict[str, Any], clocks: str) -> tuple[str, int]:
    """`-lgc MIN,MAX` or `-lgc CLOCK`: the nearest clock that the card has."""
    cells = clocks.split(",")
    if len(cells) > 2 or not all(cell.isdigit() for cell in cells):
        return f"Invalid clock values: {clocks}\n", BAD_ARGUMENT
    if os.geteuid() != 0:
        return _refuse_user(gpu, "setting"), NO_PERMISSION
    nearest = min(list_supported(gpu), key=lambda mhz: abs(mhz - int(cells[-1])))
    path = node.resolve_path(LIMIT)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{nearest}\n")
    bounds = f"(gpuClkMin {cells[0]}, gpuClkMax {cells[-1]})"
    return f'GPU clocks set to "{bounds}" for GPU {gpu["pci_bus_id"]}\nAll done.\n', 0


def reset(gpu: dict[str, Any]) -> tuple[str, int]:
    if os.geteuid() != 0:
        return _refuse_user(gpu, "resetting"), NO_PERMISSION
    node.resolve_path(LIMIT).unlink(missing_ok=True)
    return f"All done.\nGPU clocks reset for GPU {gpu['pci_bus_id']}\n", 0


def _refuse_user(gpu: dict[str, Any], act: str) -> str:
    return (
        f"The current user does not have permission to change clocks for GPU {gpu['pci_bus_id']}."
        f"\nTerminating early due to previous errors ({act} needs root).\n"
    )
