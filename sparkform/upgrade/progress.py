"""How far an upgrade has come: what must be known after the command was killed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class UpgradeProgress:
    """Of one upgrade of one stack.

    `failing`, by node that has been begun: the checks that failed before. `acts`, by node: what was
    started there in the boot of `act_boots`: one that ended in its middle has to be made whole.
    `reboots`: nodes that need one; `owed_reboots`: the boot in which firmware was asked for, which
    the next one takes into use; `boot_ids`: the boot in which it was asked for last, and
    `reboot_counts` how often it was.
    `paused`: services that were ended for it and are owed their start. `failure`: why it stopped.
    """

    stack: str
    failing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    acts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    act_boots: Mapping[str, str] = field(default_factory=dict)
    reboots: tuple[str, ...] = ()
    owed_reboots: Mapping[str, str] = field(default_factory=dict)
    boot_ids: Mapping[str, str] = field(default_factory=dict)
    reboot_counts: Mapping[str, int] = field(default_factory=dict)
    verified: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()
    failure: str | None = None

    def begin(self, node: str, failing: tuple[str, ...], needs_reboot: bool) -> UpgradeProgress:
        reboots = (*self.reboots, node) if needs_reboot else self.reboots
        return replace(self, failing={**self.failing, node: failing}, reboots=reboots)

    def list_acts(self, node: str, boot_id: str) -> tuple[str, ...]:
        """What was started there in this boot."""
        return self.acts.get(node, ()) if self.act_boots.get(node) == boot_id else ()

    def note_act(self, node: str, act: str, boot_id: str) -> UpgradeProgress:
        acts = (*self.list_acts(node, boot_id), act)
        act_boots = {**self.act_boots, node: boot_id}
        return replace(self, acts={**self.acts, node: acts}, act_boots=act_boots)

    def owe_reboot(self, node: str, boot_id: str) -> UpgradeProgress:
        return replace(self, owed_reboots={**self.owed_reboots, node: boot_id})

    def note_reboot(self, node: str, boot_id: str) -> UpgradeProgress:
        """Asked for again in the same boot it is the same one."""
        is_new = self.boot_ids.get(node) != boot_id
        count = self.reboot_counts.get(node, 0) + is_new
        return replace(
            self,
            boot_ids={**self.boot_ids, node: boot_id},
            reboot_counts={**self.reboot_counts, node: count},
        )

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
        tried once more, with one more reboot."""
        if self.failure is None:
            return self
        acts = {node: acts for node, acts in self.acts.items() if node in self.verified}
        counts = {node: min(count, 1) for node, count in self.reboot_counts.items()}
        return replace(self, acts=acts, reboot_counts=counts, failure=None)
