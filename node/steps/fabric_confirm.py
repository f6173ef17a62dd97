"""Somebody logged in afresh after the network change: it stays. Otherwise the node took it back.

want: {"fabric_address": the run that it confirms}. It has no state of its own, so the planner's
number is what makes it run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.errors import StepError
from node.host.system import System
from node.network import arming
from node.state import pending_change
from node.state.manifest import Manifest

Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    is_armed, rolled_back = (
        pending_change.read_state(system) is not None,
        pending_change.read_rollback(system),
    )
    return {"armed": is_armed, "rolled_back": rolled_back}


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    """What is pending stands beside want's own terms, so that it differs from them."""
    pending = {name: value for name, value in observed.items() if value}
    return {**want, **pending}


def compare(have: Json, want: Json) -> list[str]:
    messages = []
    if have.get("armed"):
        messages.append("a network change waits, will be confirmed")
    if have.get("rolled_back"):
        messages.append(f"the network change was taken back at {have['rolled_back']}")
    return messages


def get_disturbance(have: Json, want: Json) -> str:
    return "none"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    system = manifest.system
    if pending_change.read_state(system) is not None:
        pending_change.disarm(system)
        return ["network change confirmed"]
    rolled_back = pending_change.read_rollback(system)
    if rolled_back is not None:
        raise StepError(
            f"The node took the network change back at {rolled_back}, because nobody "
            f"confirmed it within "
            f"{arming.LIMIT_S} s. `pulumi preview` shows what is left to do."
        )
    return []
