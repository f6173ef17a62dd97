"""RoCE devices from /sys/class/infiniband: whose interface, which state, which addresses as GIDs.

The layout is the kernel's (Documentation/ABI/stable/sysfs-class-infiniband) and NVIDIA's RoCE
manual: ports/1/gids/<index>, gid_attrs/types/<index> ("RoCE v2"), gid_attrs/ndevs/<index>. Only
the presence of an address is told, never its index: the index moves with every link event.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from node.facts.reading import Look

ROOT = "/sys/class/infiniband"
_NETDEV = re.compile(rf"{ROOT}/([^/]+)/device/net/([^/]+)/address")
_GID = re.compile(rf"{ROOT}/([^/]+)/ports/1/gids/([0-9]+)", re.ASCII)
_IPV4_GID = re.compile(r"0000:0000:0000:0000:0000:ffff:([0-9a-f]{4}):([0-9a-f]{4})", re.ASCII)


@dataclass(frozen=True)
class Device:
    name: str
    state: str | None
    gid_addresses: tuple[str, ...]


def texts(look: Look) -> dict[str, str]:
    """Every sysfs text that `by_interface` needs; the 1,000 empty GIDs are left out."""
    gids = {
        path: text
        for path, text in look.texts(look.names(f"{ROOT}/*/ports/1/gids/*")).items()
        if text.strip(" \n0:")
    }
    attributes = [_attribute(path, kind) for path in gids for kind in ("types", "ndevs")]
    others = look.names(f"{ROOT}/*/ports/1/state") + look.names(f"{ROOT}/*/device/net/*/address")
    return {**gids, **look.texts(attributes + others)}


def by_interface(sysfs: dict[str, str]) -> dict[str, Device]:
    """Interface name to its RoCE device."""
    pairs = [match.groups() for match in map(_NETDEV.fullmatch, sysfs) if match]
    return {
        netdev: Device(
            name, _state(sysfs.get(f"{ROOT}/{name}/ports/1/state")), _gids(sysfs, name, netdev)
        )
        for name, netdev in pairs
    }


def _state(text: str | None) -> str | None:
    """ "4: ACTIVE" is ACTIVE."""
    return text.partition(":")[2].strip() or None if text else None


def _gids(sysfs: dict[str, str], name: str, netdev: str) -> tuple[str, ...]:
    return tuple(sorted(set(_ipv4_gids(sysfs, name, netdev))))


def _ipv4_gids(sysfs: dict[str, str], name: str, netdev: str) -> Iterator[str]:
    for path, text in sysfs.items():
        place, gid = _GID.fullmatch(path), _IPV4_GID.fullmatch(text.strip().lower())
        if not place or not gid or place.group(1) != name:
            continue
        kind = sysfs.get(_attribute(path, "types"), "").strip()
        if kind == "RoCE v2" and sysfs.get(_attribute(path, "ndevs"), "").strip() == netdev:
            yield ".".join(str(byte) for byte in bytes.fromhex(gid.group(1) + gid.group(2)))


def _attribute(path: str, kind: str) -> str:
    return path.replace("/gids/", f"/gid_attrs/{kind}/")
