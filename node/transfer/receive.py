"""Fetch a parcel from its source or from one that is fetching it, and hand it on meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

from node.errors import Refusal
from node.host.progress import Progress
from node.transfer import bundle
from node.transfer.bundle import Parcel
from node.transfer.caller import Caller, Lost
from node.transfer.checks import Checks
from node.transfer.holding import Arriving, Holding
from node.transfer.server import Server
from node.transfer.streams import Giver, Streams

LINGER_S = 20.0
"""A next one that has gone without a word is not waited for any longer."""
PAUSE_S = 0.5
PATIENCE_S = 60.0
"""Without a byte for so long, the transfer is given up."""


@dataclass(frozen=True)
class Source:
    """How to reach the source: its addresses in this node's networks, and the key."""

    who: str
    addresses: Sequence[str]
    own: Sequence[str]
    port: int
    key: str
    me: str = field(default_factory=lambda: os.uname().nodename)

    def ask(self, what: str, **question: object) -> dict[str, Any]:
        """By the first address that answers. Raises Lost, Refusal."""
        failures = []
        for address in self.addresses:
            caller = Caller(self.key, address, self.port)
            try:
                return caller.ask(what, question)
            except Lost as lost:
                failures.append(str(lost))
            finally:
                caller.close()
        raise Lost("; ".join(failures) or "no address of it is known")


def offered(source: Source, name: str) -> Parcel:
    """What the source offers under that name. Raises Refusal where it does not answer."""
    try:
        return bundle.made(source.ask("/parcel", name=name))
    except Lost as lost:
        raise Refusal(f"{name} cannot be fetched: {lost}. Run `pulumi up` again.") from None


class Receiver:
    """One parcel on its way to `root`. `has` says which files are right already."""

    def __init__(
        self, source: Source, wanted: Parcel, root: Path, has: Callable[[str], bool]
    ) -> None:
        self.source, self.wanted, self.key = source, wanted, source.key
        finished = {place for place in wanted.items if has(place)}
        self.arriving = Arriving(root, wanted.items, finished)
        self.left = {place: item for place, item in wanted.items.items() if place not in finished}
        self._avoid: set[str] = set()
        self._wrong_before: set[str] = set()

    def missing(self) -> int:
        """Bytes still to come."""
        return self.wanted.bytes - self.arriving.had()

    def answer(self, what: str, asked: Mapping[str, Any]) -> str | None:
        """Only the source knows the chain."""
        return None

    def holding(self, name: str, place: str) -> Holding | None:
        known = name == self.wanted.name and place in self.wanted.items
        return self.arriving if known else None

    def run(self) -> str:
        """Returns how much came and how fast. Raises Refusal; what has come stays."""
        servers = self._servers()
        progress = Progress(self._what(), self.wanted.bytes, self.arriving.had())
        try:
            self._fetch(servers[0].server_address[1], progress)
            self._linger(servers)
        finally:
            self.arriving.end()
            for server in servers:
                server.shutdown()
                server.server_close()
        self.arriving.forget_notes()
        return progress.summary()

    def _servers(self) -> list[Server]:
        """At each own address, with one port for all."""
        first, *others = (str(IPv4Interface(own).ip) for own in self.source.own)
        servers = [Server(first, 0, self)]
        servers += [Server(other, servers[0].server_address[1], self) for other in others]
        for server in servers:
            server.run_beside()
        return servers

    def _what(self) -> str:
        return str(self.wanted.about.get("handle") or self.wanted.name)

    def _fetch(self, port: int, progress: Progress) -> None:
        """Round after round, until all is here and right: a giver may go away in the middle."""
        last, since = self.missing(), time.monotonic()
        while self.left:
            giver = self._giver(port)
            streams = Streams(giver, self.wanted.name, self.arriving, self.left, progress)
            checks = Checks(self.arriving, self.left, streams)
            lost = checks.follow()
            self._judge(giver, checks.wrong)
            if self.missing() < last:
                last, since = self.missing(), time.monotonic()
            if self.left and time.monotonic() - since > PATIENCE_S:
                raise Refusal(f"{self._what()} does not come from {giver.who}: {lost}")
            time.sleep(PAUSE_S if self.left else 0)

    def _judge(self, giver: Giver, wrong: Sequence[str]) -> None:
        """One who did not give all is not asked again; the source gives a file twice at most."""
        if not self.left:
            return
        if giver.who != self.source.who:
            self._avoid.add(giver.who)
        elif twice := sorted(self._wrong_before.intersection(wrong)):
            raise Refusal(
                f"{', '.join(twice)} of {self._what()} came from {giver.who} twice with wrong "
                "contents. Run `pulumi up` again: the source is read and compared, too."
            )
        else:
            self._wrong_before |= set(wrong)

    def _giver(self, port: int) -> Giver:
        place = {"addresses": list(self.source.own), "port": port, "avoid": sorted(self._avoid)}
        name = self.wanted.name
        try:
            found = self.source.ask("/join", name=name, who=self.source.me, **place)
        except Lost as lost:
            raise Refusal(f"{name}: {self.source.who} has gone: {lost}") from None
        if found["at"] is None:
            return Giver(self.source.who, self.source.addresses, self.source.port, self.key)
        near = reachable(found["at"]["addresses"], self.source.own)
        if not near:
            self._avoid.add(found["who"])
            return self._giver(port)
        return Giver(found["who"], near, found["at"]["port"], self.key)

    def _linger(self, servers: Sequence[Server]) -> None:
        """Until those who fetch from here have all, too."""
        while min(server.idle_s() for server in servers) < LINGER_S:
            try:
                question = {"name": self.wanted.name, "who": self.source.me}
                if self.source.ask("/done", **question)["free"]:
                    return
            except Lost:
                return
            time.sleep(PAUSE_S)


def reachable(theirs: Sequence[str], own: Sequence[str]) -> list[str]:
    """Addresses that lie in one of our networks. Pure.

    >>> reachable(["10.1.0.2/24", "10.2.0.2/24"], ["10.2.0.3/24"])
    ['10.2.0.2']
    """
    networks = {IPv4Interface(one).network for one in own}
    found = [IPv4Interface(one) for one in theirs]
    return [str(one.ip) for one in found if one.network in networks]
