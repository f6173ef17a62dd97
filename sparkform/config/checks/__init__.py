"""Checks across keys. Each takes a draft, so an unreadable part silences only itself."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.config.checks import fabric, gateway, monitoring, nodes, services
from sparkform.config.draft import Draft
from sparkform.errors import Problem

CHECKS = (
    *nodes.CHECKS,
    *fabric.CHECKS,
    *services.CHECKS,
    *monitoring.CHECKS,
    *gateway.CHECKS,
)


def check_draft(draft: Draft) -> Iterator[Problem]:
    """Every problem that only several keys together show."""
    for check_part in CHECKS:
        yield from check_part(draft)
