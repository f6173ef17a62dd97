"""Fetch a bundle from its source or from another receiver, and serve it to the next meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from pathlib import Path
from typing import TypeVar

from node.errors import StepError
from node.host.progress import TransferProgress
from node.host.typed_json import ShapeError, parse
from node.transfer.bundle import Bundle, read_bundle
from node.transfer.caller import ConnectionLost, TransferClient
from node.transfer.checks import DigestChecks
from node.transfer.holding import IncomingBundle, ReadableBundle
from node.transfer.messages import DoneAnswer, JoinAnswer, TransferRequest
from node.transfer.server import TransferServer
from node.transfer.streams import Sender, Streams

AnswerT = TypeVar("AnswerT")
LINGER_S = 20.0
"""A next receiver that is silent is not waited for any longer."""
PAUSE_S = 0.5
PATIENCE_S = 60.0
"""Without a byte for so long, the transfer fails."""


@dataclass(frozen=True)
class SourceConnection:
    """How `receiver`, this node, reaches the source: its addresses in our networks, and the key."""

    node: str
    addresses: Sequence[str]
    own_addresses: Sequence[str]
    port: int
    key: str
    receiver: str = field(default_factory=lambda: os.uname().nodename)

    def post(self, route: str, request: TransferRequest) -> object:
        """The answer of the first address that answers. Raises ConnectionLost, StepError."""
        failures = []
        for address in self.addresses:
            client = TransferClient(self.key, address, self.port)
            try:
                return client.post(route, request)
            except ConnectionLost as error:
                failures.append(str(error))
            finally:
                client.close()
        raise ConnectionLost("; ".join(failures) or "it has no known address")

    def query(self, route: str, request: TransferRequest, kind: type[AnswerT]) -> AnswerT:
        """As `post`, for an answer of that type."""
        try:
            return parse(kind, self.post(route, request), "answer")
        except ShapeError as error:
            raise StepError(f"Cannot read the answer of {self.node}: {error}") from None


def fetch_offer(source: SourceConnection, name: str) -> Bundle:
    """The bundle that the source offers under that name. Raises StepError."""
    try:
        return read_bundle(source.post("/bundle", TransferRequest(name)))
    except ConnectionLost as error:
        raise StepError(f"{name} cannot be fetched: {error}. Run `pulumi up` again.") from None


class Receiver:
    """One bundle on its way to `root`. `is_present` says which files need not be fetched."""

    def __init__(
        self,
        source: SourceConnection,
        bundle: Bundle,
        root: Path,
        is_present: Callable[[str], bool],
    ) -> None:
        self.source, self.bundle, self.key = source, bundle, source.key
        finished = {path for path in bundle.items if is_present(path)}
        self.incoming = IncomingBundle(root, bundle.items, finished)
        self.unfinished = {
            path: item for path, item in bundle.items.items() if path not in finished
        }
        self._avoided: set[str] = set()
        self._mismatched_before: set[str] = set()

    def count_missing_bytes(self) -> int:
        """Bytes still to come."""
        return self.bundle.bytes - self.incoming.count_received()

    def build_answer(self, route: str, request: TransferRequest) -> str | None:
        """Only the source answers: it knows the chain."""
        return None

    def find_readable(self, name: str, path: str) -> ReadableBundle | None:
        is_known = name == self.bundle.name and path in self.bundle.items
        return self.incoming if is_known else None

    def run(self) -> str:
        """Returns how much arrived and how fast. Raises StepError; what has arrived stays."""
        servers = self._start_servers()
        received = self.incoming.count_received()
        progress = TransferProgress(self.bundle.subject, self.bundle.bytes, received)
        try:
            self._fetch(servers[0].server_address[1], progress)
            self._serve_until_free(servers)
        finally:
            self.incoming.close()
            for server in servers:
                server.shutdown()
                server.server_close()
        self.incoming.remove_progress()
        return progress.summarize()

    def _start_servers(self) -> list[TransferServer]:
        """One at each own address, with one port for all."""
        first, *more = (str(IPv4Interface(interface).ip) for interface in self.source.own_addresses)
        servers = [TransferServer(first, 0, self)]
        servers += [TransferServer(address, servers[0].server_address[1], self) for address in more]
        for server in servers:
            server.start()
        return servers

    def _fetch(self, port: int, progress: TransferProgress) -> None:
        """Round after round, until all is present and right: a sender may fail in the middle."""
        missing_before, progress_s = self.count_missing_bytes(), time.monotonic()
        while self.unfinished:
            sender = self._join_chain(port)
            streams = Streams(sender, self.bundle.name, self.incoming, self.unfinished, progress)
            checks = DigestChecks(self.incoming, self.unfinished, streams)
            reason = checks.run()
            self._check_round(sender, checks.mismatched)
            if self.count_missing_bytes() < missing_before:
                missing_before, progress_s = self.count_missing_bytes(), time.monotonic()
            if self.unfinished and time.monotonic() - progress_s > PATIENCE_S:
                raise StepError(
                    f"{self.bundle.subject} was not received from {sender.node}: {reason}"
                )
            time.sleep(PAUSE_S if self.unfinished else 0)

    def _check_round(self, sender: Sender, mismatched: Sequence[str]) -> None:
        """A receiver that did not send all is avoided; the source may send a wrong file once."""
        if not self.unfinished:
            return
        if sender.node != self.source.node:
            self._avoided.add(sender.node)
        elif repeated := sorted(self._mismatched_before.intersection(mismatched)):
            raise StepError(
                f"{', '.join(repeated)} of {self.bundle.subject} arrived from {sender.node} twice "
                "with wrong digests. Run `pulumi up` again: the source verifies its copy, too."
            )
        else:
            self._mismatched_before |= set(mismatched)

    def _join_chain(self, port: int) -> Sender:
        source, name = self.source, self.bundle.name
        request = TransferRequest(
            name, source.receiver, tuple(source.own_addresses), port, tuple(sorted(self._avoided))
        )
        try:
            answer = source.query("/join", request, JoinAnswer)
        except ConnectionLost as error:
            raise StepError(f"{name}: {source.node} does not answer any more: {error}") from None
        if answer.node is None:
            return Sender(source.node, source.addresses, source.port, self.key)
        addresses = select_reachable(answer.addresses, source.own_addresses)
        if not addresses:
            self._avoided.add(answer.node)
            return self._join_chain(port)
        return Sender(answer.node, addresses, answer.port, self.key)

    def _serve_until_free(self, servers: Sequence[TransferServer]) -> None:
        """Until the receivers that fetch from here have all, too."""
        while min(server.get_idle_s() for server in servers) < LINGER_S:
            try:
                request = TransferRequest(self.bundle.name, self.source.receiver)
                if self.source.query("/done", request, DoneAnswer).free:
                    return
            except ConnectionLost:
                return
            time.sleep(PAUSE_S)


def select_reachable(addresses: Sequence[str], own_addresses: Sequence[str]) -> list[str]:
    """Addresses that lie in one of our networks. Pure.

    >>> select_reachable(["10.1.0.2/24", "10.2.0.2/24"], ["10.2.0.3/24"])
    ['10.2.0.2']
    """
    networks = {IPv4Interface(address).network for address in own_addresses}
    interfaces = [IPv4Interface(address) for address in addresses]
    return [str(address.ip) for address in interfaces if address.network in networks]
