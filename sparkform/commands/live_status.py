"""The state of a stack's rack: read once, or kept up to date while somebody watches."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace

from node.readings.measure import Unread
from node.verbs.status import NodeDocument, parse_document
from sparkform.commands.declared import DeclaredStack
from sparkform.commands.live_report import find_passphrase_source, is_locked
from sparkform.plan.logins import list_logins
from sparkform.report.rack_report import NodeError
from sparkform.ssh.target import Target, VerbRequest
from sparkform.ssh.watching import query_documents, watch_nodes
from sparkform.status.build import build_rack_status
from sparkform.status.rack_status import RackStatus
from sparkform.status.readings import NodeReading

INTERVAL_S = 1.0
SETTLE_S = 0.1
"""The documents of several nodes come at about the same time."""

NOT_YET = Unread("not read yet")


@dataclass
class LiveRack:
    """The newest document of each node, or why there is none.

    `targets` are those that can be logged in to: a passphrase, where one is needed, is in them.
    """

    declared: DeclaredStack
    targets: Sequence[Target]
    documents: dict[str, NodeDocument | Unread] = field(default_factory=dict)
    received_s: dict[str, float] = field(default_factory=dict)

    def take(self, node: str, answer: str | NodeError) -> None:
        self.documents[node] = parse_answer(answer)
        self.received_s[node] = time.monotonic()

    def build_status(self) -> RackStatus:
        now_s = time.monotonic()
        readings = {
            target.name: NodeReading(
                self.documents.get(target.name, NOT_YET),
                now_s - self.received_s.get(target.name, now_s),
            )
            for target in self.targets
        }
        declaration = self.declared.declaration
        return build_rack_status(self.declared.full_name, declaration, readings, time.time())


def read_rack(declared: DeclaredStack) -> LiveRack:
    """One document of each node. The passphrase of the key is asked for where it is needed."""
    targets = list_logins(declared.declaration)
    answers = query_documents(build_requests(targets, None), targets)
    locked = {target.name for target in targets if is_locked(answers[target.name], target)}
    passphrase = find_passphrase_source(declared)() if locked else None
    if passphrase is not None:
        targets = tuple(
            replace(target, passphrase=passphrase) if target.name in locked else target
            for target in targets
        )
        opened = [target for target in targets if target.name in locked]
        answers |= query_documents(build_requests(opened, None), opened)
    rack = LiveRack(declared, targets)
    for name, answer in answers.items():
        rack.take(name, answer)
    return rack


async def watch_rack(rack: LiveRack) -> AsyncGenerator[RackStatus, None]:
    """The state after each change, and each second, as ages grow. Close the iterator to end it."""
    changed = asyncio.Event()

    def take(node: str, answer: str | NodeError) -> None:
        rack.take(node, answer)
        changed.set()

    requests = build_requests(rack.targets, INTERVAL_S)
    watching = asyncio.create_task(watch_nodes(requests, rack.targets, take))
    try:
        while not watching.done():
            changed.clear()
            yield rack.build_status()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), INTERVAL_S)
            await asyncio.sleep(SETTLE_S)
        await watching
    finally:
        watching.cancel()


def build_requests(targets: Sequence[Target], interval_s: float | None) -> dict[str, VerbRequest]:
    return {
        target.name: VerbRequest(
            "status", {"interval_s": interval_s, "model_directory": target.model_directory}
        )
        for target in targets
    }


def parse_answer(answer: str | NodeError) -> NodeDocument | Unread:
    if isinstance(answer, NodeError):
        return Unread(answer.what.rstrip("."))
    try:
        return parse_document(answer)
    except ValueError as error:
        return Unread(f"the node's answer cannot be read: {error}")
