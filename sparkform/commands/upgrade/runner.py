"""An upgrade, act by act: what is decided is done, and what was done is on the disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from node.verbs.updates import NodeUpdates
from sparkform.commands.upgrade.text import describe_left
from sparkform.ssh.target import VerbRequest
from sparkform.upgrade.decide import (
    FIRMWARE,
    PACKAGES,
    ServiceSight,
    UpgradeAction,
    UpgradeView,
    decide_next,
    needs_reboot,
)
from sparkform.upgrade.progress import UpgradeProgress

PAUSE_S = 5.0
VERIFY_LIMIT_S = 300.0
"""After a boot Docker, the fabric and the clock take a while to be as they should."""

LIMITS_S = {"await-run": 7200.0, "await-boot": 1800.0, "await-end": 600.0, "reboot": 600.0}
STARTING_LIMIT_S = 7200.0
"""Of a service: its own limits end a start that does not succeed long before."""


class UpgradeTarget(Protocol):
    """What a runner needs of the nodes."""

    def read_updates(self, names: tuple[str, ...]) -> dict[str, NodeUpdates]: ...
    def read_services(self) -> tuple[ServiceSight, ...]: ...
    def list_failing(self, node: str) -> dict[str, str]: ...
    def order(self, node: str, request: VerbRequest) -> bool: ...


@dataclass
class UpgradeRunner:
    """`order`: the nodes as they come. `save` keeps the progress, `tell` prints a line."""

    rack: UpgradeTarget
    order: tuple[str, ...]
    progress: UpgradeProgress
    save: Callable[[UpgradeProgress], None]
    tell: Callable[[str], None]
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    waiting: UpgradeAction | None = None
    waiting_since_s: float = 0.0
    services: tuple[ServiceSight, ...] = field(default=())
    updates: dict[str, NodeUpdates] = field(default_factory=dict)

    def run(self) -> bool:
        """Whether all nodes are done and all services serve."""
        while True:
            action = self._decide()
            if action.kind == "finish":
                return True
            if action.kind == "stop":
                self._keep(self.progress.fail(action.reason))
                return False
            self._take(action)

    def _decide(self) -> UpgradeAction:
        """From what the nodes say now; only a node that is not done is asked for updates."""
        open_nodes = tuple(name for name in self.order if name not in self.progress.verified)
        self.updates = self.rack.read_updates(open_nodes[:1]) if open_nodes else {}
        self.services = self.rack.read_services()
        view = UpgradeView(self.order, self.updates, self.services, self.progress)
        action = decide_next(view)
        return self._find_overdue(action) or action

    def _find_overdue(self, action: UpgradeAction) -> UpgradeAction | None:
        now_s = self.now()
        if action != self.waiting:
            self.waiting, self.waiting_since_s = action, now_s
        limit_s = LIMITS_S.get(action.kind, STARTING_LIMIT_S)
        if now_s - self.waiting_since_s <= limit_s:
            return None
        what = action.kind.replace("-", " ")
        reason = f"{action.subject}: {what} has taken more than {limit_s:.0f} s"
        return UpgradeAction("stop", action.subject, reason)

    def _take(self, action: UpgradeAction) -> None:
        acts: dict[str, Callable[[str], None]] = {
            "skip": self._skip,
            "pause": self._pause,
            "await-end": self._await_end,
            "begin": self._begin,
            PACKAGES: lambda node: self._start(node, PACKAGES),
            FIRMWARE: lambda node: self._start(node, FIRMWARE),
            "reboot": self._reboot,
            "verify": self._verify,
            "resume": self._resume,
            "settle": self._settle,
        }
        acts.get(action.kind, self._wait)(action.subject)

    def _keep(self, progress: UpgradeProgress) -> None:
        self.progress = progress
        self.save(progress)

    def _wait(self, subject: str) -> None:
        self.sleep(PAUSE_S)

    def _skip(self, node: str) -> None:
        self.tell(f"{node}: nothing to update")
        self._keep(self.progress.verify(node))

    def _pause(self, service: str) -> None:
        """What is owed is on the disk before it is asked for."""
        self.tell(f"service {service}: all ranks end until the nodes are done")
        self._keep(self.progress.pause(service))

    def _await_end(self, service: str) -> None:
        """Asked again where an earlier request was lost."""
        sight = self._find_service(service)
        if not sight.is_paused:
            self.rack.order(sight.nodes[0], VerbRequest("pause", {"service": service}))
        self.sleep(PAUSE_S)

    def _begin(self, node: str) -> None:
        failing = tuple(sorted(self.rack.list_failing(node)))
        remark = f" (fails before: {', '.join(failing)})" if failing else ""
        self.tell(f"{node}: begun{remark}")
        self._keep(self.progress.begin(node, failing, needs_reboot(self.updates[node])))

    def _start(self, node: str, act: str) -> None:
        """What firmware owes is on the disk before it is asked for."""
        boot_id = self.updates[node].boot_id
        if act == FIRMWARE:
            self._keep(self.progress.owe_reboot(node, boot_id))
        if self.rack.order(node, VerbRequest("upgrade", {"act": act})):
            self._keep(self.progress.note_act(node, act, boot_id))
        self.sleep(PAUSE_S)

    def _reboot(self, node: str) -> None:
        """The boot that ends is on the disk before: one that has not ended is asked for again."""
        self._keep(self.progress.note_reboot(node, self.updates[node].boot_id))
        self.rack.order(node, VerbRequest("upgrade", {"act": "reboot"}))
        self.sleep(3 * PAUSE_S)

    def _verify(self, node: str) -> None:
        before = self.progress.failing[node]
        deadline = self.now() + VERIFY_LIMIT_S
        while True:
            failing = self.rack.list_failing(node)
            new = {name: text for name, text in failing.items() if name not in before}
            if not new:
                remaining = describe_left(self.updates[node])
                self.tell(
                    f"{node}: updated and verified{f'; by hand: {remaining}' if remaining else ''}"
                )
                return self._keep(self.progress.verify(node))
            if self.now() >= deadline:
                reasons = "; ".join(f"{name}: {text}" for name, text in sorted(new.items()))
                return self._keep(self.progress.fail(f"{node} fails after its update: {reasons}"))
            self.sleep(PAUSE_S)

    def _resume(self, service: str) -> None:
        self.tell(f"service {service}: starts")
        sight = self._find_service(service)
        self.rack.order(sight.nodes[0], VerbRequest("restart", {"service": service}))
        self.sleep(PAUSE_S)

    def _settle(self, service: str) -> None:
        self.tell(f"service {service}: serves")
        self._keep(self.progress.resume(service))

    def _find_service(self, service: str) -> ServiceSight:
        return next(sight for sight in self.services if sight.name == service)
