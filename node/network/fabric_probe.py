"""Look at one half of a fabric link from this end; nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from node.host.links import Link
from node.host.plain import listing, mapping
from node.host.system import System

# An IPv4 header and an ICMP header.
PING_OVERHEAD_BYTES = 28
SMALL_MTU = 1500
# Over a cable an answer takes less than a millisecond.
ANSWER_S = 0.5
INFINIBAND = "/sys/class/infiniband"
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Probe:
    """What was seen of one half. None: not asked, because something before it failed, or (speed,
    gid) because the machine does not say. `mtu` in bytes. `neighbours`: whose hardware addresses
    answer there, as "<node> <interface>"."""

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


def probe(system: System, half: Json, links: Mapping[str, Link], want: Json) -> Probe:
    """Ask in the order in which one thing needs the other."""
    link = links.get(half["interface"])
    if link is None:
        return Probe(exists=False)
    seen = Probe(
        carrier=link.carrier,
        mtu=link.mtu,
        addresses=tuple(one.partition("/")[0] for one in link.ipv4),
        speed_mbps=_speed(system, link.name),
    )
    if not link.carrier or half["address"] not in seen.addresses:
        return seen
    return _reach(system, half, seen, want)


def _reach(system: System, half: Json, seen: Probe, want: Json) -> Probe:
    interface, peer = half["interface"], half["peer_address"]
    sizes = (SMALL_MTU, half["mtu"] or seen.mtu)
    system.knock(interface, want["known_addresses"])
    with ThreadPoolExecutor(max_workers=len(sizes)) as pool:
        small, jumbo = pool.map(lambda mtu: ping(system, interface, peer, mtu), sizes)
    found = () if small else ends_of(heard_macs(system, interface), want["ends"])
    return Probe(
        carrier=True,
        mtu=seen.mtu,
        addresses=seen.addresses,
        speed_mbps=seen.speed_mbps,
        route=_route(system, peer),
        small=small,
        jumbo=jumbo if small else None,
        gid=_has_gid(system, interface, half["address"]),
        neighbours=found,
    )


def ping(system: System, interface: str, address: str, mtu: int) -> bool:
    """Two packets that fill `mtu` and must not be cut: there and back. One answer will do, since a
    first packet may be lost while the hardware address is asked for."""
    size = str(mtu - PING_OVERHEAD_BYTES)
    options = ["-q", "-c", "2", "-i", "0.2", "-W", str(ANSWER_S), "-M", "do", "-s", size]
    return system.run(["ping", *options, "-I", interface, address], timeout_s=5).code == 0


def heard_macs(system: System, interface: str) -> tuple[str, ...]:
    """Who is at the other end, once knocked and waited for: a machine answers for all its addresses
    on any of its links, and the hardware address in its answer says which link that is."""
    return macs_of(system.run(["ip", "-j", "neighbour", "show", "dev", interface]).out)


def macs_of(text: str) -> tuple[str, ...]:
    """The hardware addresses in what `ip -j neighbour` prints. Pure."""
    try:
        found = [mapping(one).get("lladdr") for one in listing(json.loads(text or "[]"))]
    except ValueError:
        return ()
    return tuple(sorted({str(mac) for mac in found if mac}))


def ends_of(macs: Sequence[str], ends: Json) -> tuple[str, ...]:
    """Hardware addresses to the known ends among them. Pure."""
    return tuple(sorted({str(ends[mac]) for mac in macs if mac in ends}))


def _route(system: System, address: str) -> str | None:
    done = system.run(["ip", "-j", "route", "get", address])
    try:
        first: Sequence[Any] = listing(json.loads(done.out or "[]"))
    except ValueError:
        return None
    return mapping(first[0]).get("dev") if first else None


def _speed(system: System, interface: str) -> int | None:
    """Mb/s as the kernel says it; -1 stands for unknown."""
    try:
        found = int(system.read(f"/sys/class/net/{interface}/speed") or "-1")
    except (OSError, ValueError):
        return None
    return found if found > 0 else None


def mapped_gid(address: str) -> str:
    """The GID of an IPv4 address in the kernel's form: hexadecimal only, where Python's `exploded`
    ends in a dotted address from 3.13 on."""
    digits = ip_address(f"::ffff:{address}").packed.hex()
    return ":".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def _has_gid(system: System, interface: str, address: str) -> bool | None:
    """Whether the interface's RoCE device holds the address as an IPv4-mapped GID; None where it
    has no such device. The GID's index moves, so it is not looked at."""
    for device in system.names(INFINIBAND):
        if interface in system.names(f"{INFINIBAND}/{device}/device/net"):
            folder = f"{INFINIBAND}/{device}/ports/1/gids"
            gids = [system.read(f"{folder}/{index}") or "" for index in system.names(folder)]
            return mapped_gid(address) in [gid.strip() for gid in gids]
    return None
