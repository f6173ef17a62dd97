"""What nodes report: looked at over SSH, or replayed from a file."""

from __future__ import annotations

from sparkform.facts.models import Facts, NodeDocument
from sparkform.facts.observe import LIMIT_S, observe, observe_all
from sparkform.facts.recording import ENVIRONMENT, load_facts, save_facts
from sparkform.facts.report import NodeError, NodeReport, Observation
from sparkform.facts.target import Target

__all__ = [
    "ENVIRONMENT",
    "LIMIT_S",
    "Facts",
    "NodeDocument",
    "NodeError",
    "NodeReport",
    "Observation",
    "Target",
    "load_facts",
    "observe",
    "observe_all",
    "save_facts",
]
