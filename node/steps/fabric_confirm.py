"""A fresh login after the network change confirms it. Otherwise the node rolls it back.

It has no state of its own, so the run of `fabric_address` is what makes it run again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from node.errors import StepError
from node.host.system import System
from node.host.typed_json import OMITTED
from node.network import arming
from node.state import pending_change
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec


@dataclass(frozen=True)
class Want:
    """`fabric_address`: the run that it confirms."""

    fabric_address: int


@dataclass(frozen=True)
class Observed:
    """`rolled_back`: when the node rolled the last change back, null where it did not."""

    armed: bool = False
    rolled_back: str | None = None


@dataclass(frozen=True)
class Have:
    """What is pending stands beside want's own terms, so that it differs from them."""

    fabric_address: int
    armed: bool | None = field(default=None, metadata=OMITTED)
    rolled_back: str | None = field(default=None, metadata=OMITTED)


def observe(system: System, request: StepRequest) -> Observed:
    is_armed = pending_change.read_state(system) is not None
    return Observed(is_armed, pending_change.read_rollback(system))


def narrow(observed: Observed, want: Want) -> Have:
    return Have(want.fabric_address, observed.armed or None, observed.rolled_back or None)


def compare(have: Have, want: Want) -> list[str]:
    messages = []
    if have.armed:
        messages.append("network change pending, will be confirmed")
    if have.rolled_back:
        messages.append(f"network rolled back at {have.rolled_back}")
    return messages


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    system = manifest.system
    if pending_change.read_state(system) is not None:
        pending_change.disarm(system)
        return ["network change confirmed"]
    rolled_back = pending_change.read_rollback(system)
    if rolled_back is not None:
        raise StepError(
            f"Network rolled back at {rolled_back}: the change was not confirmed within "
            f"{arming.LIMIT_S} s. `pulumi preview` shows what is left to do."
        )
    return []


SPEC = StepSpec(
    name="fabric_confirm",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    phrase="will be confirmed by a fresh login",
    after=("fabric_address",),
)
