"""What receivers and the source say to each other, as JSON over HTTP."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TransferRequest:
    """Of the bundle `name`. `receiver` asks to join the chain, or to leave it: it serves at
    `addresses` (IPv4 with prefix length) and `port`, and does not want to fetch from `avoid`."""

    name: str
    receiver: str = ""
    addresses: tuple[str, ...] = ()
    port: int = 0
    avoid: tuple[str, ...] = ()


@dataclass(frozen=True)
class JoinAnswer:
    """The receiver to fetch from, and where it serves; None for the source itself."""

    node: str | None = None
    addresses: tuple[str, ...] = ()
    port: int = 0


@dataclass(frozen=True)
class DoneAnswer:
    """`free`: whether no other receiver fetches from this one any more."""

    free: bool
