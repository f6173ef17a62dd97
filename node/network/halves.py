"""One half of a fabric link, as a step's want has it."""

from __future__ import annotations

from typing import TypedDict


class ProbeTarget(TypedDict):
    """What a packet needs: from which interface and address, to which, and how large it may be.

    `mtu` in bytes, null: as found.
    """

    interface: str
    address: str
    peer_address: str
    mtu: int | None


class LinkHalf(ProbeTarget):
    """The same with its cable, both ends by node and interface, and the wanted speed in Mb/s."""

    node: str
    cable: str
    peer: str
    peer_interface: str
    speed_mbps: int | None


class PeerAnswer(TypedDict):
    """The result of one probe. `interface` null where the address is on none; `jumbo`
    null where small packets were lost; `neighbours` are hardware addresses."""

    address: str
    peer_address: str
    interface: str | None
    route: str | None
    small: bool | None
    jumbo: bool | None
    neighbours: list[str]
