"""The fields of `nvidia-smi --query-gpu`: names, units in the header, values of a GB10.

Names and units are those of `nvidia-smi --help-query-gpu`; a field of the real tool that is not
listed here is refused by the shim, a name of no tool gets the real tool's error.
"""

from __future__ import annotations

import datetime
from typing import Any

NOT_AVAILABLE = "[N/A]"
ALIASES = {
    "gpu_name": "name",
    "gpu_uuid": "uuid",
    "gpu_serial": "serial",
    "gpu_bus_id": "pci.bus_id",
    "clocks.gr": "clocks.current.graphics",
    "clocks.sm": "clocks.current.sm",
    "clocks.mem": "clocks.current.memory",
    "clocks.video": "clocks.current.video",
    "clocks_throttle_reasons.active": "clocks_event_reasons.active",
    "clocks.max.gr": "clocks.max.graphics",
    "clocks.max.mem": "clocks.max.memory",
    "clocks.applications.gr": "clocks.applications.graphics",
    "clocks.applications.mem": "clocks.applications.memory",
}
UNITS = {
    "memory.total": "MiB",
    "memory.reserved": "MiB",
    "memory.used": "MiB",
    "memory.free": "MiB",
    "utilization.gpu": "%",
    "utilization.memory": "%",
    "fan.speed": "%",
    "power.draw": "W",
    "power.draw.average": "W",
    "power.draw.instant": "W",
    "power.limit": "W",
    "enforced.power.limit": "W",
    "power.default_limit": "W",
    "power.min_limit": "W",
    "power.max_limit": "W",
    "clocks.current.graphics": "MHz",
    "clocks.current.sm": "MHz",
    "clocks.current.memory": "MHz",
    "clocks.current.video": "MHz",
    "clocks.max.graphics": "MHz",
    "clocks.max.sm": "MHz",
    "clocks.max.memory": "MHz",
    "clocks.applications.graphics": "MHz",
    "clocks.applications.memory": "MHz",
}
# A GB10 has no memory of its own, no fan and no power limit that the driver reports.
NEVER_AVAILABLE = (
    *("memory.total", "memory.reserved", "memory.used", "memory.free", "fan.speed"),
    *("temperature.memory", "power.limit", "enforced.power.limit", "power.default_limit"),
    *("power.min_limit", "power.max_limit", "clocks.current.memory", "clocks.max.memory"),
    *("clocks.applications.memory", "ecc.mode.current", "ecc.mode.pending"),
    *("mig.mode.current", "mig.mode.pending", "driver_model.current", "driver_model.pending"),
)


def build_values(gpu: dict[str, Any], now: datetime.datetime) -> dict[str, str]:
    """Every known field with its value, without unit."""
    bus = gpu["pci_bus_id"]
    return (
        dict.fromkeys(NEVER_AVAILABLE, NOT_AVAILABLE)
        | {
            "timestamp": now.strftime("%Y/%m/%d %H:%M:%S.") + f"{now.microsecond // 1000:03d}",
            "count": "1",
            "index": "0",
            "name": gpu["name"],
            "uuid": gpu["uuid"],
            "serial": gpu["serial"],
            "driver_version": gpu["driver_version"],
            "vbios_version": gpu["vbios_version"],
            "compute_cap": gpu["compute_cap"],
            "compute_mode": "Default",
            "addressing_mode": gpu["addressing_mode"],
            "persistence_mode": gpu["persistence_mode"],
            "display_active": gpu["display_active"],
            "pstate": gpu["pstate"],
            "pci.bus_id": bus,
            "pci.domain": f"0x{int(bus.split(':')[0], 16):04X}",
            "pci.bus": f"0x{bus.split(':')[1]}",
            "pci.device": f"0x{bus.split(':')[2].split('.')[0]}",
            "pci.device_id": gpu["pci_device_id"],
            "pci.sub_device_id": gpu["pci_sub_device_id"],
            "pcie.link.gen.current": str(gpu["pcie_generation"]["current"]),
            "pcie.link.gen.max": str(gpu["pcie_generation"]["max"]),
            "pcie.link.width.current": str(gpu["pcie_width"]["current"]),
            "pcie.link.width.max": str(gpu["pcie_width"]["max"]),
        }
        | _list_measured(gpu)
    )


def _list_measured(gpu: dict[str, Any]) -> dict[str, str]:
    power = f"{gpu['power_draw_w']:.2f}"
    sm_mhz = str(gpu["clock_sm_mhz"])
    return {
        "utilization.gpu": str(gpu["utilization_percent"]),
        "utilization.memory": "0",
        "temperature.gpu": str(gpu["temperature_c"]),
        "power.draw": power,
        "power.draw.average": power,
        "power.draw.instant": power,
        "clocks.current.graphics": sm_mhz,
        "clocks.current.sm": sm_mhz,
        "clocks.current.video": sm_mhz,
        "clocks.max.graphics": str(gpu["clock_max_mhz"]),
        "clocks.max.sm": str(gpu["clock_max_mhz"]),
        "clocks_event_reasons.active": f"0x{gpu['clock_event_reasons']:016x}",
        "clocks.applications.graphics": str(gpu["clock_applications_mhz"]),
    }
