"""Checks across keys. Each takes a draft, so that an unreadable part silences only itself."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.errors import Problem
from sparkform.spec.checks import fabric, nodes, services
from sparkform.spec.draft import Draft

CHECKS = (*nodes.CHECKS, *fabric.CHECKS, *services.CHECKS)


def check(draft: Draft) -> Iterator[Problem]:
    """Every problem that only several keys together show."""
    for one in CHECKS:
        yield from one(draft)
