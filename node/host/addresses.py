"""Who reaches what listens at an address. Pure."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

LOCALHOST = "localhost"


def is_loopback(host: str) -> bool:
    """Whether only programs of the same machine reach it: 127.0.0.0/8, ::1, the first of these in
    the form of IPv6 or with parts left out, and localhost.

    >>> [is_loopback(host) for host in ("127.0.0.2", "[::1]", "::ffff:127.0.0.1", "127.1")]
    [True, True, True, True]
    >>> [is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "127.example.org")]
    [False, False, False, False]
    """
    name = host.strip().removesuffix(".").lower()
    if name == LOCALHOST or name.endswith(f".{LOCALHOST}"):
        return True
    address = _read_address(host.strip().removeprefix("[").removesuffix("]"))
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address is not None and (mapped or address).is_loopback


def _read_address(text: str) -> IPv4Address | IPv6Address | None:
    """inet_aton(3) takes shorter forms than `ipaddress`, and programs that listen use it."""
    try:
        return ip_address(text)
    except ValueError:
        try:
            return IPv4Address(socket.inet_aton(text))
        except (OSError, ValueError):
            return None
