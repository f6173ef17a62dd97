"""RoCE devices from /sys/class/infiniband: whose interface, which state, which addresses as GIDs.

The layout is the kernel's (Documentation/ABI/stable/sysfs-class-infiniband) and NVIDIA's RoCE
manual: ports/1/gids/<index>, gid_attrs/types/<index> ("RoCE v2"), gid_attrs/ndevs/<index>. Only
the presence of an address is reported: its index moves with every link event.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from node.facts.reading import FactReader

ROOT = "/sys/class/infiniband"
_NETDEV = re.compile(rf"{ROOT}/([^/]+)/device/net/([^/]+)/address")
_GID = re.compile(rf"{ROOT}/([^/]+)/ports/1/gids/([0-9]+)", re.ASCII)
_IPV4_GID = re.compile(r"0000:0000:0000:0000:0000:ffff:([0-9a-f]{4}):([0-9a-f]{4})", re.ASCII)


@dataclass(frozen=True)
class HcaDevice:
    name: str
    state: str | None
    gid_addresses: tuple[str, ...]


def read_sysfs(reader: FactReader) -> dict[str, str]:
    """Every sysfs text that `by_interface` needs; the 1,000 empty GIDs are left out."""
    gids = {
        path: text
        for path, text in reader.read_files(reader.list_paths(f"{ROOT}/*/ports/1/gids/*")).items()
        if text.strip(" \n0:")
    }
    attributes = [_get_attribute_path(path, kind) for path in gids for kind in ("types", "ndevs")]
    device_paths = reader.list_paths(f"{ROOT}/*/ports/1/state") + reader.list_paths(
        f"{ROOT}/*/device/net/*/address"
    )
    return {**gids, **reader.read_files(attributes + device_paths)}


def map_by_interface(sysfs: dict[str, str]) -> dict[str, HcaDevice]:
    """Interface name to its RoCE device."""
    pairs = [match.groups() for match in map(_NETDEV.fullmatch, sysfs) if match]
    return {
        netdev: HcaDevice(
            name,
            _parse_state(sysfs.get(f"{ROOT}/{name}/ports/1/state")),
            _list_gids(sysfs, name, netdev),
        )
        for name, netdev in pairs
    }


def _parse_state(text: str | None) -> str | None:
    """ "4: ACTIVE" is ACTIVE."""
    return text.partition(":")[2].strip() or None if text else None


def _list_gids(sysfs: dict[str, str], name: str, netdev: str) -> tuple[str, ...]:
    return tuple(sorted(set(_find_ipv4_gids(sysfs, name, netdev))))


def _find_ipv4_gids(sysfs: dict[str, str], name: str, netdev: str) -> Iterator[str]:
    for path, text in sysfs.items():
        gid_path, gid = _GID.fullmatch(path), _IPV4_GID.fullmatch(text.strip().lower())
        if not gid_path or not gid or gid_path.group(1) != name:
            continue
        kind = sysfs.get(_get_attribute_path(path, "types"), "").strip()
        if (
            kind == "RoCE v2"
            and sysfs.get(_get_attribute_path(path, "ndevs"), "").strip() == netdev
        ):
            yield ".".join(str(byte) for byte in bytes.fromhex(gid.group(1) + gid.group(2)))


def _get_attribute_path(path: str, kind: str) -> str:
    return path.replace("/gids/", f"/gid_attrs/{kind}/")
