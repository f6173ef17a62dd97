"""The files of /sys/class/infiniband for one RoCE device; pure.

File names and forms are the kernel's (drivers/infiniband/core/sysfs.c).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import gids
from .links import NetworkInterface

# include/rdma/ib_addr.h, iboe_get_mtu: what RoCE adds to a packet.
ROCE_OVERHEAD_BYTES = 96
ROCE_MTUS = ((4096, 5), (2048, 4), (1024, 3), (512, 2), (256, 1))


def build_guid(mac: str) -> str:
    """A ConnectX GUID: the MAC address with 03:00 in the middle, as four groups."""
    octets = mac.split(":")
    full = [*octets[:3], "03", "00", *octets[3:]]
    return ":".join(full[index] + full[index + 1] for index in (0, 2, 4, 6))


def compute_roce_mtu(mtu: int) -> tuple[int, int]:
    """The RoCE MTU (bytes, code) that an interface MTU allows; 256 is the least."""
    return next((pair for pair in ROCE_MTUS if pair[0] <= mtu - ROCE_OVERHEAD_BYTES), ROCE_MTUS[-1])


def build_device_files(data: dict[str, Any], name: str, macs: dict[str, str]) -> dict[str, str]:
    """Path below the device's folder → text, for what the cable does not change.

    `macs` has the MAC address of each device's interface; all devices name the first one's GUID
    as that of the system.
    """
    return {
        "fw_ver": data["firmware_version"],
        "board_id": data["board_id"],
        "hca_type": data["hca_type"],
        "hw_rev": data["hardware_version"],
        "node_type": "1: CA",
        "node_desc": name,
        "node_guid": build_guid(macs[name]),
        "sys_image_guid": build_guid(macs[min(data["devices"], key=_get_pci(data))]),
        "ports/1/link_layer": "Ethernet",
        "ports/1/cap_mask": data["capability_mask"],
        "ports/1/lid": "0x0",
        "ports/1/lid_mask_count": "0",
        "ports/1/sm_lid": "0x0",
        "ports/1/sm_sl": "0",
        "ports/1/counters/port_rcv_data": "0",
        "ports/1/counters/port_xmit_data": "0",
    }


def _get_pci(data: dict[str, Any]) -> Callable[[str], str]:
    return lambda name: str(data["devices"][name]["pci"])


def build_port_files(
    data: dict[str, Any], link: NetworkInterface | None, table: gids.Table
) -> dict[str, str]:
    """Path → text for what follows the link: state, rate and the GID table.

    An empty place of the table has a gid of zeros and no type and no netdev file: the kernel
    has the files and fails to read them, and so does a reader here.
    """
    up = link is not None and link.carrier
    files = {
        "ports/1/state": "4: ACTIVE" if up else "1: DOWN",
        "ports/1/phys_state": "5: LinkUp" if up else "3: Disabled",
        "ports/1/rate": data["rate_up"] if up else data["rate_down"],
    }
    for index in range(data["gid_table_length"]):
        gid, kind = table.get(index, (gids.EMPTY, ""))
        files[f"ports/1/gids/{index}"] = gid
        if kind and link is not None:
            files[f"ports/1/gid_attrs/types/{index}"] = kind
            files[f"ports/1/gid_attrs/ndevs/{index}"] = link.name
    return files


def format_speed(data: dict[str, Any], link: NetworkInterface) -> str:
    """The text of /sys/class/net/<interface>/speed in Mb/s; a port without carrier says -1."""
    return str(data["speed_mbps"] if link.carrier else -1)
