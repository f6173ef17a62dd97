"""The GID table of a RoCE port as the kernel keeps it.

Rules of the kernel's RoCE GID manager: entries 0 and 1 are the link-local GID made from the MAC
address (v1, v2); each address of the interface adds a v1 and a v2 entry in the lowest free
places; an address that goes leaves holes. Hence an index can drift, as users of DGX Sparks saw
(tonyd2wild/DeepSeek-v4-Flash-Vision-Exp-DSpark-1M-NVFP4-KV-2x-DGX-Spark pull request 40).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Entry = tuple[str, str]
Table = dict[int, Entry]
V1, V2 = "IB/RoCE v1", "RoCE v2"
EMPTY = ":".join(["0000"] * 8)


def compute_default_gid(mac: str) -> str:
    """The link-local GID of a MAC address (modified EUI-64)."""
    octets = [int(part, 16) for part in mac.split(":")]
    octets[0] ^= 0x02
    eui = [*octets[:3], 0xFF, 0xFE, *octets[3:]]
    return compute_address_gid(
        "fe80::" + ":".join(f"{eui[i]:02x}{eui[i + 1]:02x}" for i in (0, 2, 4, 6))
    )


def compute_address_gid(address: str) -> str:
    """The GID of an IP address: an IPv4 address is mapped into ::ffff:0:0/96.

    In hexadecimal as the kernel prints it: from Python 3.13 `exploded` mixes in dots there.
    """
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv4Address):
        parsed = ipaddress.IPv6Address(f"::ffff:{parsed}")
    digits = parsed.packed.hex()
    return ":".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def update(table: Table, mac: str, addresses: Iterable[str], length: int) -> Table:
    """The table after the interface has come to this MAC address and these addresses."""
    default = compute_default_gid(mac)
    gids = [gid for gid in map(compute_address_gid, addresses) if gid != default]
    wanted = {(gid, kind) for gid in gids for kind in (V1, V2)}
    retained = {index: entry for index, entry in table.items() if index > 1 and entry in wanted}
    present = set(retained.values())
    free = (index for index in range(2, length) if index not in retained)
    missing = (entry for gid in gids for entry in ((gid, V1), (gid, V2)) if entry not in present)
    added: Table = {}
    for entry in missing:
        if entry not in added.values():
            added[next(free)] = entry
    return {0: (default, V1), 1: (default, V2)} | retained | added
