"""The source of a model or an image offers it to the nodes that still need it.

Stateless: it holds the runs of the receivers' steps. The planner takes those receivers out of
`have` that are not in sync, so it runs again, before them, whenever one of them is to fetch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from node.state.manifest import Manifest
from node.steps import Nothing, Secrets, StepSpec, keep_want, observe_nothing


@dataclass(frozen=True)
class Want:
    """`name` is the source's own step (`model:<slug>`), `listen` its addresses (IPv4)."""

    name: str
    listen: tuple[str, ...]
    receivers: Mapping[str, int]


def remove_receivers(want: Want, waiting: Sequence[str]) -> Want:
    """`want` as if it had not been offered to those who wait. Pure."""
    receivers = {node: run for node, run in want.receivers.items() if node not in waiting}
    return replace(want, receivers=receivers)


def compare(have: Want, want: Want) -> list[str]:
    waiting = [node for node in want.receivers if node not in have.receivers]
    return [f"{want.name} will be offered to {', '.join(waiting)}"] if waiting else []


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    from node.delivery import offers

    return offers.add_offer(manifest, want.name, want.listen)


SPEC = StepSpec(
    name="offer",
    want=Want,
    observed=Nothing,
    observe=observe_nothing,
    narrow=keep_want,
    compare=compare,
    apply=apply,
    holds_lock=False,
)
