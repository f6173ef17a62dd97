"""The data that makes a rack node answer as a DGX Spark does.

The programs that give the answers lie in `rootfs/` and read this data at each call.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
ROOTFS = Path(__file__).parent / "rootfs"
_UUIDS = uuid.UUID("6d0e6f35-8c0b-4d0e-9d5a-1f2f3c4b5a69")
# Second half, other port: seen in the GUIDs of one Spark (data/hca.json, key devices).
_MAC_OFFSETS = {"rocep1s0f0": 0, "rocep1s0f1": 1, "roceP2p1s0f0": 4, "roceP2p1s0f1": 5}


def load_catalogue() -> dict[str, dict[str, dict[str, Any]]]:
    """Every data item of every document as `{"value": …, "source": …}`.

    `source` is a public place where the value was seen, or begins with `constructed`.
    """
    return {path.stem: json.loads(path.read_text()) for path in sorted(DATA.glob("*.json"))}


def build_mac_addresses(node_index: int) -> dict[str, str]:
    """The MAC address of each RoCE device's network interface, by device name.

    The rack gives them to the interfaces; every GUID and GID follows the interface.
    """
    return {
        device: f"4c:bb:47:{0x50 + node_index:02x}:1a:{0x10 + offset:02x}"
        for device, offset in _MAC_OFFSETS.items()
    }


def build_defaults(node_index: int) -> dict[str, object]:
    """One node's documents; the rack writes each to /etc/rack/<key>.json in the node."""
    documents = {
        name: {key: item["value"] for key, item in items.items()}
        for name, items in load_catalogue().items()
        if name != "files"
    }
    documents["gpu"]["uuid"] = f"GPU-{uuid.uuid5(_UUIDS, f'gpu {node_index}')}"
    documents["system"]["serial_number"] = f"19839250{node_index:05d}"
    return dict(documents)


def get_nccl_conf(variant: str) -> str | None:
    """The text of /etc/nccl.conf in a variant that was reported; None means no such file.

    Raises KeyError for a variant that `data/system.json` does not list.
    """
    variants: dict[str, str | None] = load_catalogue()["system"]["nccl_conf_variants"]["value"]
    return variants[variant]
