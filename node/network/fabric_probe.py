"""Probe one half of a fabric link from this end; nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import ip_address

from node.host.links import HostLink
from node.host.plain import as_list, as_mapping
from node.host.system import System
from node.network.halves import ProbeTarget

# An IPv4 header and an ICMP header.
PING_OVERHEAD_BYTES = 28
SMALL_MTU = 1500
# Over a cable an answer takes less than a millisecond.
ANSWER_S = 0.5
INFINIBAND = "/sys/class/infiniband"


@dataclass(frozen=True)
class KnownEnds:
    """Addresses of other nodes, and whose hardware addresses are known: "<node> <interface>"."""

    addresses: tuple[str, ...] = ()
    macs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HalfProbe:
    """The state of one half. None: not probed, because an earlier probe failed, or (speed, gid)
    not reported by the kernel. `mtu` in bytes. `neighbours`: whose hardware addresses answer
    there, as "<node> <interface>"."""

    exists: bool = True
    carrier: bool = True
    mtu: int = 0
    addresses: tuple[str, ...] = ()
    speed_mbps: int | None = None
    route: str | None = None
    small: bool | None = None
    jumbo: bool | None = None
    gid: bool | None = None
    neighbours: tuple[str, ...] = ()


def probe_half(
    system: System, half: ProbeTarget, links: Mapping[str, HostLink], ends: KnownEnds
) -> HalfProbe:
    """Probe in the order of dependence: link, address, route, packets."""
    link = links.get(half["interface"])
    if link is None:
        return HalfProbe(exists=False)
    result = HalfProbe(
        carrier=link.carrier,
        mtu=link.mtu,
        addresses=tuple(address.partition("/")[0] for address in link.ipv4),
        speed_mbps=_read_speed_mbps(system, link.name),
    )
    if not link.carrier or half["address"] not in result.addresses:
        return result
    return _probe_peer(system, half, result, ends)


def _probe_peer(system: System, half: ProbeTarget, result: HalfProbe, ends: KnownEnds) -> HalfProbe:
    interface, peer = half["interface"], half["peer_address"]
    sizes = (SMALL_MTU, half["mtu"] or result.mtu)
    system.probe_neighbours(interface, ends.addresses)
    with ThreadPoolExecutor(max_workers=len(sizes)) as pool:
        small, jumbo = pool.map(lambda mtu: ping(system, interface, peer, mtu), sizes)
    neighbours = () if small else match_ends(list_neighbour_macs(system, interface), ends.macs)
    return HalfProbe(
        carrier=True,
        mtu=result.mtu,
        addresses=result.addresses,
        speed_mbps=result.speed_mbps,
        route=_find_route_interface(system, peer),
        small=small,
        jumbo=jumbo if small else None,
        gid=_has_gid(system, interface, half["address"]),
        neighbours=neighbours,
    )


def ping(system: System, interface: str, address: str, mtu: int) -> bool:
    """Two packets that fill `mtu` and must not be cut: there and back. One answer is enough, since
    a first packet may be lost while the hardware address is resolved."""
    size = str(mtu - PING_OVERHEAD_BYTES)
    options = ["-q", "-c", "2", "-i", "0.2", "-W", str(ANSWER_S), "-M", "do", "-s", size]
    return system.run(["ping", *options, "-I", interface, address], timeout_s=5).code == 0


def list_neighbour_macs(system: System, interface: str) -> tuple[str, ...]:
    """Who answers at the other end: a machine answers for all its addresses on any of its links,
    and the hardware address in its answer tells which link that is."""
    return parse_macs(system.run(["ip", "-j", "neighbour", "show", "dev", interface]).out)


def parse_macs(text: str) -> tuple[str, ...]:
    """The hardware addresses in what `ip -j neighbour` prints. Pure."""
    try:
        macs = [
            as_mapping(neighbour).get("lladdr") for neighbour in as_list(json.loads(text or "[]"))
        ]
    except ValueError:
        return ()
    return tuple(sorted({str(mac) for mac in macs if mac}))


def match_ends(macs: Sequence[str], ends: Mapping[str, str]) -> tuple[str, ...]:
    """Hardware addresses to the known ends among them. Pure."""
    return tuple(sorted({str(ends[mac]) for mac in macs if mac in ends}))


def _find_route_interface(system: System, address: str) -> str | None:
    result = system.run(["ip", "-j", "route", "get", address])
    try:
        routes = as_list(json.loads(result.out or "[]"))
    except ValueError:
        return None
    return as_mapping(routes[0]).get("dev") if routes else None


def _read_speed_mbps(system: System, interface: str) -> int | None:
    """Mb/s as the kernel reports it, where -1 stands for unknown."""
    try:
        speed_mbps = int(system.read(f"/sys/class/net/{interface}/speed") or "-1")
    except (OSError, ValueError):
        return None
    return speed_mbps if speed_mbps > 0 else None


def format_mapped_gid(address: str) -> str:
    """The GID of an IPv4 address in the kernel's form: hexadecimal only, where Python's `exploded`
    ends in a dotted address from 3.13 on."""
    digits = ip_address(f"::ffff:{address}").packed.hex()
    return ":".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def _has_gid(system: System, interface: str, address: str) -> bool | None:
    """Whether the interface's RoCE device holds the address as an IPv4-mapped GID; None where it
    has no such device. The GID's index moves, so it is ignored."""
    for device in system.list_names(INFINIBAND):
        if interface in system.list_names(f"{INFINIBAND}/{device}/device/net"):
            folder = f"{INFINIBAND}/{device}/ports/1/gids"
            gids = [system.read(f"{folder}/{index}") or "" for index in system.list_names(folder)]
            return format_mapped_gid(address) in [gid.strip() for gid in gids]
    return None
