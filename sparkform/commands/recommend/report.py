"""What `sparkform recommend` answers: a block, its speed, its reasons, what was rejected. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sparkform.commands.speeds import SpeedFigures, round_speed
from sparkform.sizing.checkpoint_offers import build_service_block, list_reasons
from sparkform.sizing.recommend import Recommendation, ServingRequest


@dataclass(frozen=True, kw_only=True)
class RejectedWay:
    way: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RecommendationReport:
    """`service` is the block's content; it and `predicted` are None where nothing fits."""

    model: str
    service: Mapping[str, object] | None
    predicted: SpeedFigures | None
    reasons: Sequence[str]
    rejected: Sequence[RejectedWay]


def build_report(
    model: str, recommendation: Recommendation, request: ServingRequest
) -> RecommendationReport:
    chosen = recommendation.chosen
    return RecommendationReport(
        model=model,
        service=build_service_block(chosen, request) if chosen else None,
        predicted=round_speed(chosen.speed) if chosen else None,
        reasons=list_reasons(chosen, request) if chosen else [],
        rejected=[
            RejectedWay(way=item.way, reason=item.reason) for item in recommendation.rejected
        ],
    )
