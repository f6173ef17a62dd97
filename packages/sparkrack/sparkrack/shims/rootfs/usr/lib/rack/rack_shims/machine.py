"""`dmidecode`, `fwupdmgr`, `nvcc --version`, `ethtool` and the text of /etc/dgx-release."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from . import links, node

REAL_ETHTOOL = "/usr/sbin/ethtool"
DMI_KEYWORDS = {
    "bios-vendor": "bios_vendor",
    "bios-version": "bios_version",
    "bios-release-date": "bios_date",
    "system-manufacturer": "sys_vendor",
    "system-product-name": "product_name",
    "baseboard-manufacturer": "board_vendor",
    "baseboard-product-name": "board_name",
    "system-serial-number": "product_serial",
}


def render_dgx_release(system: dict[str, Any]) -> str:
    """/etc/dgx-release: the factory image first, then one block an update."""
    names = (
        *(("DGX_NAME", "dgx_name"), ("DGX_PRETTY_NAME", "dgx_pretty_name")),
        *(("DGX_SWBUILD_DATE", "swbuild_date"), ("DGX_SWBUILD_VERSION", "swbuild_version")),
        *(("DGX_COMMIT_ID", "commit_id"), ("DGX_PLATFORM", "platform")),
        ("DGX_SERIAL_NUMBER", "serial_number"),
    )
    text = "".join(f'{name}="{system[key]}"\n' for name, key in names)
    for version, date in system["ota_updates"]:
        text += f'\nDGX_OTA_VERSION="{version}"\nDGX_OTA_DATE="{date}"\n'
    return text


def build_dmi(system: dict[str, Any]) -> dict[str, str]:
    """File name in /sys/class/dmi/id → text; version fields that nobody recorded are left out."""
    unrecorded = {
        key: value for key, value in system["dmi_unrecorded"].items() if value != "constructed"
    }
    return {**unrecorded, **system["dmi"], "product_serial": system["serial_number"]}


def dmidecode(arguments: list[str]) -> int:
    """`dmidecode -s KEYWORD`, as root."""
    if len(arguments) != 2 or arguments[0] != "-s" or arguments[1] not in DMI_KEYWORDS:
        node.refuse("dmidecode", " ".join(arguments) or "no keyword")
    if os.geteuid() != 0:
        print("/sys/firmware/dmi/tables/smbios_entry_point: Permission denied")
        return 1
    print(build_dmi(node.read_document("system"))[DMI_KEYWORDS[arguments[1]]])
    return 0


def fwupdmgr(arguments: list[str]) -> int:
    """`fwupdmgr --version`, `get-devices`, `get-updates`, `refresh`, `update`, `get-history`."""
    verb = next((argument for argument in arguments if not argument.startswith("-")), "")
    if arguments == ["--version"]:
        print(f"runtime   org.freedesktop.fwupd         {_read_system()['fwupd_version']}")
        return 0
    if verb not in FIRMWARE_VERBS:
        node.refuse("fwupdmgr", " ".join(arguments) or "no command")
    return FIRMWARE_VERBS[verb](arguments)


def _read_system() -> dict[str, Any]:
    return node.read_document("system")


def _list_devices(arguments: list[str]) -> int:
    system = _read_system()
    print(f"{system['dmi']['sys_vendor']} {system['dmi']['product_name']}\n│")
    for name, version in system["firmware_devices"]:
        print(f"├─{name}:\n│     Current version:    {version}\n│")
    return 0


def _list_updates(arguments: list[str]) -> int:
    """Those that a test has left for this node, in the form of `--json` (fwupd 1.8)."""
    path = node.resolve_path(FIRMWARE_UPDATES)
    if not path.exists():
        print("No updates available")
        return NOTHING_TO_DO
    print(path.read_text() if "--json" in arguments else "Devices with updates: see --json")
    return 0


def _refresh(arguments: list[str]) -> int:
    print("rack stand-in of fwupd: no metadata is fetched")
    return 0


def _update(arguments: list[str]) -> int:
    path = node.resolve_path(FIRMWARE_UPDATES)
    if not path.exists():
        print("No updatable devices")
        return NOTHING_TO_DO
    path.unlink()
    print("rack stand-in of fwupd: the updates count as installed")
    return 0


def _list_history(arguments: list[str]) -> int:
    print("No history")
    return NOTHING_TO_DO


NOTHING_TO_DO = 2
FIRMWARE_UPDATES = "/etc/rack/firmware-updates.json"
FIRMWARE_VERBS = {
    "get-devices": _list_devices,
    "get-updates": _list_updates,
    "get-upgrades": _list_updates,
    "refresh": _refresh,
    "update": _update,
    "get-history": _list_history,
}


def nvcc(arguments: list[str]) -> int:
    if arguments not in (["--version"], ["-V"]):
        node.refuse("nvcc", " ".join(arguments) or "no input")
    release = node.read_document("system")["cuda_release"]
    print(
        "nvcc: NVIDIA (R) Cuda compiler driver\n"
        "Copyright (c) 2005-2025 NVIDIA Corporation\n"
        f"Built on {release['built']}\n"
        f"Cuda compilation tools, release {release['release']}, V{release['version']}\n"
        f"Build {release['build']}"
    )
    return 0


def ethtool(arguments: list[str]) -> int:
    """Debian's ethtool; for a fabric interface the lines that a ConnectX-7 says otherwise."""
    data = node.read_document("hca")
    devices = {entry["interface"]: entry for entry in data["devices"].values()}
    if arguments[:1] == ["-i"] and len(arguments) == 2 and arguments[1] in devices:
        print(_render_driver(data, devices[arguments[1]]["pci"]))
        return 0
    if len(arguments) != 1 or arguments[0] not in devices:
        os.execv(REAL_ETHTOOL, ["ethtool", *arguments])
    answer = subprocess.run([REAL_ETHTOOL, arguments[0]], capture_output=True, text=True)
    link = links.read().get(arguments[0])
    print(rewrite_settings(answer.stdout, data, link), end="")
    return answer.returncode


def rewrite_settings(text: str, data: dict[str, Any], link: links.NetworkInterface | None) -> str:
    """The answer of `ethtool IF` with the port's own speed, port type and negotiation."""
    up = link is not None and link.carrier
    replaced = {
        "Speed": f"{data['speed_mbps']}Mb/s" if up else "Unknown!",
        "Duplex": "Full" if up else "Unknown! (255)",
        "Auto-negotiation": "on",
        "Port": "Direct Attach Copper",
    }
    lines = []
    for line in text.splitlines(keepends=True):
        name = line.strip().partition(":")[0]
        lines.append(f"\t{name}: {replaced[name]}\n" if name in replaced else line)
    return "".join(lines)


def _render_driver(data: dict[str, Any], pci: str) -> str:
    return (
        "driver: mlx5_core\n"
        f"version: {os.uname().release}\n"
        f"firmware-version: {data['firmware_version']} ({data['board_id']})\n"
        "expansion-rom-version: \n"
        f"bus-info: {pci}\n"
        "supports-statistics: yes\n"
        "supports-test: yes\n"
        "supports-eeprom-access: no\n"
        "supports-register-dump: no\n"
        "supports-priv-flags: yes"
    )
