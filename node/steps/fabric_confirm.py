"""Somebody logged in afresh after the network change: it stays. Otherwise the node took it back.

want: {"fabric_address": the run that it confirms}. It has no state of its own, so the planner's
number is what makes it run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.errors import Refusal
from node.host.system import System
from node.network import arming
from node.state import pending_change
from node.state.manifest import Journal

Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    armed, taken_back = pending_change.state(system) is not None, pending_change.rolled_back(system)
    return {"armed": armed, "rolled_back": taken_back}


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    """What is pending stands beside want's own terms, so that it differs from them."""
    pending = {name: value for name, value in seen.items() if value}
    return {**want, **pending}


def differences(have: Json, want: Json) -> list[str]:
    said = []
    if have.get("armed"):
        said.append("a network change waits, will be confirmed")
    if have.get("rolled_back"):
        said.append(f"the network change was taken back at {have['rolled_back']}")
    return said


def disturbs(have: Json, want: Json) -> str:
    return "none"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    system = journal.system
    if pending_change.state(system) is not None:
        pending_change.disarm(system)
        return ["network change confirmed"]
    when = pending_change.rolled_back(system)
    if when is not None:
        raise Refusal(
            f"The node took the network change back at {when}, because nobody confirmed it within "
            f"{arming.LIMIT_S} s. `pulumi preview` shows what is left to do."
        )
    return []
