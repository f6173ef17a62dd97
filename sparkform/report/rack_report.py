"""One observation of all nodes: a report or an error for each."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from sparkform.report.facts import NodeReport
from sparkform.report.report_model import ReportModel

ErrorKind = Literal[
    "unresolved",
    "unreachable",
    "refused",
    "frozen",
    "dropped",
    "unknown_host_key",
    "changed_host_key",
    "rsa_host_key",
    "bad_host_key",
    "authentication",
    "identity",
    "sudo",
    "expired",
    "no_shell",
    "python_missing",
    "timeout",
    "failed",
    "damaged",
]

LoginKey = Literal["agent", "identity_file"]


class NodeError(ReportModel):
    """Why a node could not be observed, in one sentence, and the command or act that mends it."""

    kind: ErrorKind
    what: str
    remedy: str


class QueryResult(ReportModel):
    """Exactly one of `report` and `error`.

    `host_key` is the key that the node offered ("ssh-ed25519 AAAA…"), trusted or not.
    `login` and `jump_login`: whose key opened the node, and the jump host on the way to it.
    `clock_skew_s`: this node's clock minus the control side's, low by the answer's way back.
    """

    report: NodeReport | None = None
    error: NodeError | None = None
    host_key: str | None = None
    login: LoginKey | None = None
    jump_login: LoginKey | None = None
    clock_skew_s: float | None = None
    duration_s: float = 0.0

    @property
    def is_late(self) -> bool:
        """Whether the node was reached, and something of it, or all, did not come in time: a longer
        look may read it."""
        if self.report is not None:
            return any(unread.late for unread in self.report.unreadable)
        return self.error is not None and self.error.kind == "timeout"

    @model_validator(mode="after")
    def _require_report_or_error(self) -> QueryResult:
        if (self.report is None) == (self.error is None):
            raise ValueError("expected either report or error")
        return self


class Observation(ReportModel):
    """All nodes by name. `format` is the version of the recorded file."""

    format: Literal[2] = 2
    nodes: dict[str, QueryResult]

    @property
    def reports(self) -> dict[str, NodeReport]:
        reports = {name: result.report for name, result in self.nodes.items()}
        return {name: report for name, report in reports.items() if report is not None}

    @property
    def errors(self) -> dict[str, NodeError]:
        errors = {name: result.error for name, result in self.nodes.items()}
        return {name: error for name, error in errors.items() if error is not None}
