"""Why a start has failed, and whose start it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StartFailure:
    """`symptom` is the line, or the fact, that shows it. `rule` is an id of rules.csv.

    `rank` and `node` say whose failure it is. Watches send it to each other by its fields' names.
    """

    id: str
    summary: str
    remedy: str
    symptom: str
    rank: int
    node: str
    rule: str | None = None


@dataclass(frozen=True)
class RankIdentity:
    """Whose start is judged."""

    service: str
    rank: int
    node: str

    def build_failure(
        self, id: str, summary: str, remedy: str, symptom: str, rule: str | None = None
    ) -> StartFailure:
        return StartFailure(id, summary, remedy, symptom, self.rank, self.node, rule)


def format_title(service: str, failure: StartFailure) -> str:
    """
    >>> format_title("qwen", StartFailure("silence", "engine stalled", "", "", 0, "spark-1"))
    'service qwen: rank 0 on spark-1: engine stalled [silence]'
    """
    rule = f", rule {failure.rule}" if failure.rule else ""
    return (
        f"service {service}: rank {failure.rank} on {failure.node}: {failure.summary} "
        f"[{failure.id}{rule}]"
    )
