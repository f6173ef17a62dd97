"""What nodes report: typed, as one report a rack, and recorded in files."""

from __future__ import annotations

from sparkform.report.facts import Facts, NodeReport
from sparkform.report.rack_report import NodeError, Observation, QueryResult
from sparkform.report.recording import FACTS_VARIABLE, load_facts, save_facts

__all__ = [
    "FACTS_VARIABLE",
    "Facts",
    "NodeError",
    "NodeReport",
    "Observation",
    "QueryResult",
    "load_facts",
    "save_facts",
]
