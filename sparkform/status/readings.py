"""What was read of each node, and how old it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from node.ranks.rank import Rank
from node.readings.measure import Unread
from node.supervision.report import SupervisionReport
from node.telemetry.node_telemetry import NodeTelemetry
from node.verbs.status import NodeDocument

STALE_S = 8.0
"""A node that is watched prints each second; an older document says nothing of now."""


@dataclass(frozen=True)
class NodeReading:
    """The newest document of a node, or why there is none."""

    document: NodeDocument | Unread
    age_s: float = 0.0

    @property
    def current(self) -> NodeDocument | Unread:
        if isinstance(self.document, NodeDocument) and self.age_s > STALE_S:
            return Unread(f"no answer for {self.age_s:.0f} s")
        return self.document

    @property
    def ranks(self) -> tuple[Rank, ...] | Unread:
        """All of them: where Docker does not answer there may be others."""
        document = self.current
        if isinstance(document, Unread):
            return document
        if isinstance(document.ranks, Unread):
            return document.ranks
        return Unread(document.ranks.unknown) if document.ranks.unknown else document.ranks.ranks

    @property
    def reports(self) -> Mapping[str, SupervisionReport] | Unread:
        document = self.current
        return document if isinstance(document, Unread) else document.supervision

    @property
    def telemetry(self) -> NodeTelemetry | Unread:
        document = self.current
        return document if isinstance(document, Unread) else document.telemetry

    @property
    def measured_gbps(self) -> Mapping[str, float]:
        document = self.current
        if isinstance(document, Unread) or isinstance(document.measured_gbps, Unread):
            return {}
        return document.measured_gbps


Readings = Mapping[str, NodeReading]
AWAY = NodeReading(Unread("the node is declared away"))
