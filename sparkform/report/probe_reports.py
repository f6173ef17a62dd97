"""What a node answers to the probes of `sparkform doctor` while it is observed, typed."""

from __future__ import annotations

from pydantic import Field, JsonValue, ValidationError

from sparkform.report.facts import NodeReport
from sparkform.report.report_model import ReportModel

PACKETS, READY = "fabric_check", "ready"
"""The steps that are asked."""

TOKEN_DIGITS = 8


class PacketReport(ReportModel):
    """What a node says of the packets between two addresses (node.network.fabric_query)."""

    address: str
    peer_address: str
    route: str | None = None
    small: bool | None = None
    jumbo: bool | None = None
    neighbours: list[str] = Field(default_factory=list)


class RankReport(ReportModel):
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


class CompletionReport(ReportModel):
    """The answer to one token's request. `status` 0: none came within `took_s`."""

    url: str
    status: int
    text: str
    took_s: float


class ServiceReport(ReportModel):
    """One service on one node (node.readiness.query). `unknown`: why there may be more ranks."""

    ranks: list[RankReport]
    unknown: str | None = None
    completion: CompletionReport | None = None
    not_placed: dict[str, str] = Field(default_factory=dict)
    kept: list[str] = Field(default_factory=list)


def list_packet_reports(report: NodeReport) -> list[PacketReport]:
    """Empty where the node was not asked; what is none of ours is left out."""
    answer = report.steps.get(PACKETS)
    probes = answer.get("probes") if isinstance(answer, dict) else None
    entries = map(_read_packets, probes if isinstance(probes, list) else ())
    return [entry for entry in entries if entry is not None]


def _read_packets(probe: JsonValue) -> PacketReport | None:
    try:
        return PacketReport.model_validate(probe)
    except ValidationError:
        return None


def read_service_report(report: NodeReport, service: str) -> ServiceReport | str | None:
    """None where the node was not asked; a reason where its answer is none of ours."""
    states = report.steps.get(READY)
    if not isinstance(states, dict) or service not in states:
        return None
    try:
        return ServiceReport.model_validate(states[service])
    except ValidationError as error:
        return f"the node returned invalid output ({error.error_count()} errors)"
