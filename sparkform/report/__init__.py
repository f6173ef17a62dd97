"""What nodes report: typed, as one report a rack, and recorded in files."""

from __future__ import annotations

from sparkform.report.facts import Facts, NodeDocument
from sparkform.report.rack_report import NodeError, NodeReport, Observation
from sparkform.report.recording import ENVIRONMENT, load_facts, save_facts

__all__ = [
    "ENVIRONMENT",
    "Facts",
    "NodeDocument",
    "NodeError",
    "NodeReport",
    "Observation",
    "load_facts",
    "save_facts",
]
