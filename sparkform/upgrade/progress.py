"""How far an upgrade has come: what must be known after the command was killed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class UpgradeProgress:
    """Of one upgrade of one stack.

    `failing`, by node that has been begun: the checks that failed before. `acts`, by node: what was
    started there. `reboots`: nodes that need one; `boot_ids`: the boot in which it was asked for.
    `paused`: services that were ended for it and are owed their start. `failure`: why it stopped.
    """

    stack: str
    failing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    acts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reboots: tuple[str, ...] = ()
    boot_ids: Mapping[str, str] = field(default_factory=dict)
    verified: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()
    failure: str | None = None

    def begin(self, node: str, failing: tuple[str, ...], needs_reboot: bool) -> UpgradeProgress:
        reboots = (*self.reboots, node) if needs_reboot else self.reboots
        return replace(self, failing={**self.failing, node: failing}, reboots=reboots)

    def note_act(self, node: str, act: str) -> UpgradeProgress:
        return replace(self, acts={**self.acts, node: (*self.acts.get(node, ()), act)})

    def note_reboot(self, node: str, boot_id: str) -> UpgradeProgress:
        return replace(self, boot_ids={**self.boot_ids, node: boot_id})

    def verify(self, node: str) -> UpgradeProgress:
        return replace(self, verified=(*self.verified, node))

    def pause(self, service: str) -> UpgradeProgress:
        return replace(self, paused=(*self.paused, service))

    def resume(self, service: str) -> UpgradeProgress:
        return replace(self, paused=tuple(name for name in self.paused if name != service))

    def fail(self, reason: str) -> UpgradeProgress:
        return replace(self, failure=reason)

    def retry(self) -> UpgradeProgress:
        """After a failure that somebody has seen to: what was started on the node that failed is
        tried once more."""
        if self.failure is None:
            return self
        acts = {node: acts for node, acts in self.acts.items() if node in self.verified}
        return replace(self, acts=acts, failure=None)
