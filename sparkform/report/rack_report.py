"""What one look at all nodes gave: a document or an error for each."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from sparkform.report.facts import NodeReport, ReportModel

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
    """Exactly one of `document` and `error`.

    `host_key` is the key that the node offered ("ssh-ed25519 AAAA…"), trusted or not.
    `login` and `jump_login`: whose key opened the node, and the jump host on the way to it.
    `clock_skew_s`: this node's clock minus the control side's, low by the answer's way back.
    """

    document: NodeReport | None = None
    error: NodeError | None = None
    host_key: str | None = None
    login: LoginKey | None = None
    jump_login: LoginKey | None = None
    clock_skew_s: float | None = None
    duration_s: float = 0.0

    @model_validator(mode="after")
    def _require_document_or_error(self) -> QueryResult:
        if (self.document is None) == (self.error is None):
            raise ValueError("expected either document or error")
        return self


class Observation(ReportModel):
    """All nodes by name. `format` is the version of the recorded file."""

    format: Literal[1] = 1
    nodes: dict[str, QueryResult]

    @property
    def reports(self) -> dict[str, NodeReport]:
        documents = {name: result.document for name, result in self.nodes.items()}
        return {name: document for name, document in documents.items() if document is not None}

    @property
    def errors(self) -> dict[str, NodeError]:
        errors = {name: result.error for name, result in self.nodes.items()}
        return {name: error for name, error in errors.items() if error is not None}
