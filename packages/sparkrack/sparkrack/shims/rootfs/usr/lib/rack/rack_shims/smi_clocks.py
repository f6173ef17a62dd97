"""The part of `nvidia-smi` that limits the GPU's clock, which a driver forgets when it is loaded.

Clocks are those of the node's data; a limit is a file below /dev, as the real one is the driver's:
a unit with `ProtectSystem=strict` reaches it (systemd.exec(5)), and it is gone after a reboot. The
clocks that the card takes, 15 MHz apart, are constructed: an H200 lists its own so (driver 580).
"""

from __future__ import annotations

import os

from . import node

LIMIT = "/dev/shm/rack-gpu-clock-limit"
NO_PERMISSION, BAD_ARGUMENT = 4, 2
LOWEST_MHZ, STEP_MHZ = 300, 15
REFUSAL = """\
The current user does not have permission to change clocks for GPU {bus}.
Terminating early due to previous errors.
"""


def list_supported(highest_mhz: int) -> list[int]:
    """Highest first, as the real tool lists them."""
    return list(range(LOWEST_MHZ, highest_mhz + 1, STEP_MHZ))[::-1]


def limit_clock(mhz: int) -> int:
    """The clock as it is under the limit, if there is one."""
    path = node.resolve_path(LIMIT)
    return min(mhz, int(path.read_text())) if path.exists() else mhz


def change_limit(bus: str, highest_mhz: int, clocks: str | None) -> tuple[str, int]:
    """`-lgc MIN,MAX`, `-lgc CLOCK`, or `-rgc` without clocks."""
    if os.geteuid() != 0:
        return REFUSAL.format(bus=bus), NO_PERMISSION
    if clocks is not None:
        return _lock(bus, highest_mhz, clocks)
    node.resolve_path(LIMIT).unlink(missing_ok=True)
    return f"All done.\nGPU clocks reset for GPU {bus}\n", 0


def _lock(bus: str, highest_mhz: int, clocks: str) -> tuple[str, int]:
    """The nearest clock that the card has."""
    cells = clocks.split(",")
    if len(cells) > 2 or not all(cell.isdigit() for cell in cells):
        return f"Invalid clock values: {clocks}\n", BAD_ARGUMENT
    nearest = min(list_supported(highest_mhz), key=lambda mhz: abs(mhz - int(cells[-1])))
    path = node.resolve_path(LIMIT)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{nearest}\n")
    bounds = f"(gpuClkMin {cells[0]}, gpuClkMax {cells[-1]})"
    return f'GPU clocks set to "{bounds}" for GPU {bus}\nAll done.\n', 0
