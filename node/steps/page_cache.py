"""The limit of free memory below which a start's watch drops the page cache
(node.readiness.page_cache)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from node.changes import file
from node.host.differences import format_change
from node.host.paths import MEMORY_GUARD
from node.host.system import System
from node.readiness.page_cache import read_limit_kib
from node.state.manifest import Manifest
from node.steps import DECLARED, Secrets, StepRequest, StepSpec


@dataclass(frozen=True)
class Want:
    """`min_free_kib`: null where no limit is set."""

    min_free_kib: int | None = None


@dataclass(frozen=True)
class Observed:
    """`asked`: whether the node looked."""

    asked: bool = False
    min_free_kib: int | None = None


def observe(system: System, request: StepRequest) -> Observed:
    return Observed(True, read_limit_kib(system)) if request.raw.get(DECLARED) else Observed()


def narrow(observed: Observed, want: Want) -> Want:
    return Want(observed.min_free_kib)


def compare(have: Want, want: Want) -> list[str]:
    if have == want:
        return []
    return [
        format_change("free memory that starts keep, in KiB,", have.min_free_kib, want.min_free_kib)
    ]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    text = json.dumps({"min_free_kib": want.min_free_kib}) + "\n"
    return file.ensure(manifest, MEMORY_GUARD, text)


SPEC = StepSpec(
    name="page_cache",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
)
