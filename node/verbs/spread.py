"""The verb `spread`: the source's server. It ends by itself when no receiver is left.

It runs as a transient systemd unit, never as a child of an SSH session, and reads what it offers
from files that `offers.add_offer` writes. With the unit's end all of them are gone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from node.delivery import offers
from node.host.paths import TRANSFER_KEY
from node.host.system import System
from node.host.typed_json import to_json
from node.transfer.bundle import Bundle, parse_bundle
from node.transfer.chain import Chain
from node.transfer.holding import CompleteBundle, ReadableBundle
from node.transfer.messages import DoneAnswer, JoinAnswer, TransferRequest
from node.transfer.server import TransferServer

PAUSE_S = 1.0
UNCLAIMED_LIMIT_S = 1800.0
"""How long an offer waits for its first receiver: other steps may come before it in a run."""
LINGER_S = 30.0
"""How long after the last one left: one more may be about to join."""


class TransferSource:
    """What this node offers, and the chain of its receivers. Safe for many threads."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.key = system.read(TRANSFER_KEY) or ""
        self._chains: dict[str, tuple[str, Chain]] = {}

    def get_bundle(self, name: str) -> Bundle | None:
        text = offers.read_text(self._system, name)
        return parse_bundle(text) if text else None

    def build_answer(self, route: str, request: TransferRequest) -> str | None:
        bundle = self.get_bundle(request.name)
        if bundle is None:
            return None
        if route == "/bundle":
            return bundle.to_json()
        chain, receiver = self._get_chain(bundle), request.receiver
        if route == "/join":
            sender = chain.join(receiver, request.addresses, request.port, request.avoid)
            address = (sender.name, sender.addresses, sender.port) if sender else ()
            return json.dumps(to_json(JoinAnswer(*address)))
        if route == "/done":
            return json.dumps(to_json(DoneAnswer(chain.mark_complete(receiver))))
        return None

    def find_readable(self, name: str, path: str) -> ReadableBundle | None:
        bundle = self.get_bundle(name)
        return CompleteBundle(bundle) if bundle and path in bundle.items else None

    def withdraw_finished(self) -> None:
        """Remove offers whose receivers have all, and those that nobody joined."""
        for name in offers.list_names(self._system):
            bundle = self.get_bundle(name)
            if bundle is None:
                continue
            chain = self._get_chain(bundle)
            idle_s = time.monotonic() - chain.last_contact_s
            if idle_s > (LINGER_S if chain.is_over() else UNCLAIMED_LIMIT_S):
                offers.remove_offer(self._system, name)

    def _get_chain(self, bundle: Bundle) -> Chain:
        """One for each offer: a bundle that is offered again begins a new one."""
        stamp = offers.get_stamp(self._system, bundle.name)
        if self._chains.get(bundle.name, ("", None))[0] != stamp:
            self._chains[bundle.name] = (stamp, Chain())
        return self._chains[bundle.name][1]


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """`spread PORT ADDRESS…`: serve until no offers left."""
    source = TransferSource(system)
    servers = [TransferServer(address, int(arguments[0]), source) for address in arguments[1:]]
    for server in servers:
        server.start()
    while True:
        time.sleep(PAUSE_S)
        source.withdraw_finished()
        with offers.hold_offers(system):
            if not offers.list_names(system):
                offers.remove_all(system)
                return ["no offers left"]
