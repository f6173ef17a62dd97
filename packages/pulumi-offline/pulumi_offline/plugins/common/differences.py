"""What changed between two sets of properties, in the form that the engine reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pulumi_offline.plugins.common.protocol import provider_pb2

ChangeKind = Literal["ADD", "DELETE", "UPDATE"]


@dataclass(frozen=True)
class Difference:
    """One changed place; `path` is in Pulumi's notation, `name` the top-level input."""

    name: str
    path: str
    kind: ChangeKind
    replaces: bool


def build_diff_response(differences: Sequence[Difference]) -> provider_pb2.DiffResponse:
    """The answer to Diff, with each place and whether it replaces."""
    kinds = provider_pb2.PropertyDiff.Kind
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME
        if differences
        else provider_pb2.DiffResponse.DIFF_NONE,
        hasDetailedDiff=True,
        diffs=sorted({difference.name for difference in differences}),
        replaces=sorted({difference.name for difference in differences if difference.replaces}),
        detailedDiff={
            difference.path: provider_pb2.PropertyDiff(
                kind=kinds.Value(difference.kind + ("_REPLACE" if difference.replaces else ""))
            )
            for difference in differences
        },
    )
