"""Replicas of a service: who answers for all of them."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import Context
from sparkform.rules.outcome import RuleFinding, RuleOutcome


def check_replicas_fronted(context: Context) -> Iterator[RuleOutcome]:
    """Replicas are engines of their own, so that one name for them needs a router in front.

    Each answers on the node of its rank 0. Waive this rule where a router of yours stands there.
    """
    for name, declared in context.declaration.declared_services.items():
        if declared.replicas > 1:
            yield RuleFinding(
                path=f"services.{name}.replicas",
                message=(
                    f"{declared.replicas} replicas answer at {declared.replicas} addresses: one "
                    "name for them needs sparkform:gateway."
                ),
                remedy="replicas: 1  # or waive this, with a router of yours in front",
            )


RACK_RULES = {"replicas-gateway": check_replicas_fronted}
