"""The verb `spread`: the source's server. It ends by itself when nobody fetches any more.

It runs as a transient systemd unit, never as a child of an SSH session, and reads what it offers
from files that `offers.open_for` writes. With the unit's end all of that is gone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from node.delivery import offers
from node.host.paths import SPREAD_KEY
from node.host.system import System
from node.transfer import bundle
from node.transfer.bundle import Parcel
from node.transfer.chain import Chain
from node.transfer.holding import Holding, Whole
from node.transfer.server import Server

PAUSE_S = 1.0
UNCLAIMED_S = 1800.0
"""How long an offer waits for its first receiver: other steps may come before it in a run."""
DONE_S = 30.0
"""How long after the last one left: one more may be on its way."""


class Source:
    """What is offered here, and the chain of those who fetch it. Used by many threads."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.key = system.read(SPREAD_KEY) or ""
        self._chains: dict[str, tuple[str, Chain]] = {}

    def parcel(self, name: str) -> Parcel | None:
        text = offers.text_of(self._system, name)
        return bundle.parse(text) if text else None

    def answer(self, what: str, asked: Mapping[str, Any]) -> str | None:
        found = self.parcel(str(asked.get("name")))
        if found is None:
            return None
        chain = self._chain(found)
        if what == "/parcel":
            return found.to_text()
        if what == "/join":
            place = (asked["who"], asked["addresses"], asked["port"], asked["avoid"])
            giver = chain.join(*place)
            reached = {"addresses": giver.addresses, "port": giver.port} if giver else None
            return json.dumps({"who": giver.name if giver else None, "at": reached})
        return json.dumps({"free": chain.done(asked["who"])}) if what == "/done" else None

    def holding(self, name: str, place: str) -> Holding | None:
        found = self.parcel(name)
        return Whole(found) if found and place in found.items else None

    def forget_done(self) -> None:
        """Take back offers whose receivers have all, or for whom nobody came."""
        for name in offers.names(self._system):
            found = self.parcel(name)
            if found is None:
                continue
            chain = self._chain(found)
            quiet_s = time.monotonic() - chain.last_word_s
            if quiet_s > (DONE_S if chain.is_over() else UNCLAIMED_S):
                offers.take_back(self._system, name)

    def _chain(self, found: Parcel) -> Chain:
        """One for each offer: a parcel that is offered anew begins a new one."""
        stamp = offers.stamp_of(self._system, found.name)
        if self._chains.get(found.name, ("", None))[0] != stamp:
            self._chains[found.name] = (stamp, Chain())
        return self._chains[found.name][1]


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """`spread PORT ADDRESS…`: serve until there is nothing to offer, for at least as long as one
    who has just been told to start may take to write his offer."""
    source = Source(system)
    servers = [Server(address, int(arguments[0]), source) for address in arguments[1:]]
    for server in servers:
        server.run_beside()
    while True:
        time.sleep(PAUSE_S)
        source.forget_done()
        with offers.doors(system):
            if not offers.names(system):
                offers.close(system)
                return ["nothing is offered any more"]
