"""What `nvidia-smi -q` prints for one GB10.

The sections are those of driver 580 that scripts read; the values come from the node's data.
"""

from __future__ import annotations

import datetime
from typing import Any

Section = tuple[str, "str | list[Section]"]
WIDTH = 55  # column of the colon, seen in `nvidia-smi -q` of a DGX Spark with driver 580.142


def render_log(gpu: dict[str, Any], now: datetime.datetime, displays: set[str]) -> str:
    """The answer of `nvidia-smi -q [-d SECTION,…]`; no displays means every section."""
    head: list[Section] = [
        ("Timestamp", now.strftime("%a %b %e %H:%M:%S %Y")),
        ("Driver Version", gpu["driver_version"]),
        ("CUDA Version", gpu["cuda_version"]),
    ]
    chosen = _describe_product(gpu) if not displays else []
    chosen += [
        section for name, section in _list_sections(gpu).items() if not displays or name in displays
    ]
    return (
        "\n==============NVSMI LOG==============\n\n"
        + _render(head, 0)
        + "\n"
        + _render([("Attached GPUs", "1")], 0)
        + f"GPU {gpu['pci_bus_id']}\n"
        + _render(chosen, 1)
        + "\n"
    )


def list_displays() -> set[str]:
    """The names that `-d` takes here."""
    return {"MEMORY", "UTILIZATION", "TEMPERATURE", "POWER", "CLOCK", "COMPUTE"}


def _render(sections: list[Section], depth: int) -> str:
    text = ""
    for name, value in sections:
        label = " " * 4 * depth + name
        if isinstance(value, str):
            text += f"{label:<{WIDTH}}: {value}\n"
        else:
            text += f"{label}\n{_render(value, depth + 1)}"
    return text


def _describe_product(gpu: dict[str, Any]) -> list[Section]:
    generation = {key: str(value) for key, value in gpu["pcie_generation"].items()}
    bus = gpu["pci_bus_id"]
    return [
        ("Product Name", gpu["name"]),
        ("Product Brand", "NVIDIA"),
        ("Product Architecture", gpu["architecture"]),
        ("Display Active", gpu["display_active"]),
        ("Persistence Mode", gpu["persistence_mode"]),
        ("Addressing Mode", gpu["addressing_mode"]),
        ("MIG Mode", [("Current", "N/A"), ("Pending", "N/A")]),
        ("Serial Number", gpu["serial"].strip("[]")),
        ("GPU UUID", gpu["uuid"]),
        ("Minor Number", "0"),
        ("VBIOS Version", gpu["vbios_version"]),
        (
            "PCI",
            [
                ("Bus", f"0x{bus.split(':')[1]}"),
                ("Domain", f"0x{int(bus.split(':')[0], 16):04X}"),
                ("Device Id", gpu["pci_device_id"]),
                ("Bus Id", bus),
                (
                    "GPU Link Info",
                    [
                        (
                            "PCIe Generation",
                            [
                                ("Max", generation["max"]),
                                ("Current", generation["current"]),
                                ("Device Current", generation["device_current"]),
                                ("Device Max", generation["device_max"]),
                                ("Host Max", generation["host_max"]),
                            ],
                        ),
                        (
                            "Link Width",
                            [
                                ("Max", f"{gpu['pcie_width']['max']}x"),
                                ("Current", f"{gpu['pcie_width']['current']}x"),
                            ],
                        ),
                    ],
                ),
            ],
        ),
        ("Fan Speed", "N/A"),
        ("Performance State", gpu["pstate"]),
    ]


def _list_sections(gpu: dict[str, Any]) -> dict[str, Section]:
    usage = [(name, "N/A") for name in ("Total", "Reserved", "Used", "Free")]
    clocks = [
        ("Graphics", f"{gpu['clock_sm_mhz']} MHz"),
        ("SM", f"{gpu['clock_sm_mhz']} MHz"),
        ("Memory", "N/A"),
    ]
    busy = [("GPU", f"{gpu['utilization_percent']} %"), ("Memory", "0 %")]
    return {
        "MEMORY": ("FB Memory Usage", list(usage)),
        "COMPUTE": ("Compute Mode", "Default"),
        "UTILIZATION": ("Utilization", list(busy)),
        "TEMPERATURE": ("Temperature", [("GPU Current Temp", f"{gpu['temperature_c']} C")]),
        "POWER": (
            "GPU Power Readings",
            [
                ("Average Power Draw", f"{gpu['power_draw_w']:.2f} W"),
                ("Instantaneous Power Draw", f"{gpu['power_draw_w']:.2f} W"),
                ("Current Power Limit", "N/A"),
            ],
        ),
        "CLOCK": ("Clocks", list(clocks)),
    }
