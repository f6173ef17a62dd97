"""The source of a model or an image holds it ready for the nodes that still need it.

Stateless: it holds the runs of the receivers' steps. The planner takes those receivers out of
`have` that are not in sync, so it runs again, before them, whenever one of them is to fetch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from node.host.system import System
from node.state.manifest import Manifest

Json = Mapping[str, Any]


class Want(TypedDict):
    """`name` is the source's own step (`model:<slug>`), `listen` its addresses (IPv4)."""

    name: str
    listen: list[str]
    receivers: dict[str, int]


def build_want(name: str, listen: Sequence[str], receivers: Mapping[str, int]) -> dict[str, Any]:
    return dict(Want(name=name, listen=list(listen), receivers=dict(receivers)))


def remove_receivers(want: Json, waiting: Sequence[str]) -> dict[str, Any]:
    """`want` as if it had not been offered to those who wait. Pure."""
    receivers = {node: run for node, run in want["receivers"].items() if node not in waiting}
    return {**want, "receivers": receivers}


def observe(system: System, request: Json) -> dict[str, Any]:
    return {}


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    return dict(want)


def compare(have: Json, want: Json) -> list[str]:
    waiting = [node for node in want["receivers"] if node not in have.get("receivers", {})]
    return [f"{want['name']} will be offered to {', '.join(waiting)}"] if waiting else []


def get_disturbance(have: Json, want: Json) -> str:
    return "none"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    from node.delivery import offers

    return offers.add_offer(manifest, want["name"], want["listen"])
