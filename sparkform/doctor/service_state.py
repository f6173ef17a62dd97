"""What a node says of its engines while it is observed (node.readiness.query), typed."""

from __future__ import annotations

from pydantic import Field, ValidationError

from sparkform.report.facts import NodeReport, ReportModel

STEP = "ready"
TOKEN_DIGITS = 8


class RankState(ReportModel):
    """One rank: alive, or `ending` says how it ended and `last` holds its last lines."""

    name: str
    token: str | None = None
    is_alive: bool = Field(alias="alive")
    ending: str | None = None
    last: list[str] = Field(default_factory=list)

    @property
    def short_token(self) -> str:
        """The digest shortened; its count whole, as it tells one start from the next."""
        digest, _, count = (self.token or "").rpartition("-")
        return f"{digest[:TOKEN_DIGITS]}…-{count}" if digest else ""


class CompletionState(ReportModel):
    """The answer to one token's request. `status` 0: none came within `took_s`."""

    url: str
    status: int
    text: str
    took_s: float


class ServiceState(ReportModel):
    """One service on one node. `unknown`: why there may be other ranks than `ranks`."""

    ranks: list[RankState]
    unknown: str | None = None
    completion: CompletionState | None = None
    not_placed: dict[str, str] = Field(default_factory=dict)
    kept: list[str] = Field(default_factory=list)


def read_service_state(report: NodeReport, service: str) -> ServiceState | str | None:
    """None where the node was not asked; a reason where its answer is none of ours."""
    states = report.steps.get(STEP)
    if not isinstance(states, dict) or service not in states:
        return None
    try:
        return ServiceState.model_validate(states[service])
    except ValidationError as error:
        return f"the node returned invalid output ({error.error_count()} errors)"
