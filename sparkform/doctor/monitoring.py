"""Containers of monitoring; one that has only stopped is a difference of its step. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.doctor.check import Check, NodeView


def check_monitoring(view: NodeView) -> Iterator[Check]:
    monitoring = view.plan.monitoring
    for trouble in monitoring.troubles if monitoring else ():
        if trouble.node == view.node.name:
            yield view.fail("monitoring", trouble.message, trouble.remedy)


CHECKS = (check_monitoring,)
