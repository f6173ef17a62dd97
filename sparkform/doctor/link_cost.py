"""What slow links cost the services that go over them, by the prediction. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sparkform.doctor.check import Check
from sparkform.fabric.measuring import find_link_share
from sparkform.rules.context import Context
from sparkform.rules.figures import estimate_services


def check_link_cost(context: Context) -> Iterator[Check]:
    """Nothing where links are as they should be, or nothing is predicted."""
    slow = {
        service.name: share
        for service in context.services
        if service.spans_nodes
        if (share := _find_share(context, [node.name for node in service.nodes])) < 1
    }
    if not slow:
        return
    here, full = estimate_services(context), estimate_services(replace(context, network=None))
    for name, share in slow.items():
        speed, best = here[name].decode_tok_s, full[name].decode_tok_s
        if speed is not None and best is not None:
            message = (
                f"{name}: its links have {share:.0%} of a Spark's 200 Gb/s; decode is predicted at "
                f"{speed:.1f} tok/s instead of {best:.1f}, and prompts take longer"
            )
            yield Check(None, "link cost", "warn", message, "cables and switch ports for 200 Gb/s")


def _find_share(context: Context, nodes: list[str]) -> float:
    return find_link_share(nodes, context.network, context.reports or {})
