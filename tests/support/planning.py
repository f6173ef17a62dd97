"""Plans out of recorded facts: what unit tests of the planner start from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparkform.config import Declaration, parse_config
from sparkform.plan.rack import plan_rack
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.steps import StackName
from sparkform.report.facts import NodeReport
from sparkform.report.recording import load_facts

FACTS = Path(__file__).parents[1] / "data" / "facts"
# Recorded on simulated nodes, by this stack and with this Swarm.
STACK = StackName("sparkform", "rec")
NODES = {"direct": 2, "switch": 3}


def load_reports(name: str) -> dict[str, NodeReport]:
    """Documents by node name: `direct-2-untouched`, `direct-2-up`, `switch-3-untouched`, …"""
    return dict(load_facts(FACTS / f"{name}.json").reports)


def build_declaration(topology: str, count: int, **cluster: Any) -> Declaration:
    nodes = [
        {"name": f"spark-{number}", "host": f"10.0.0.{number}"} for number in range(1, count + 1)
    ]
    block = {
        "user": "nvidia",
        "nodes": nodes,
        "fabric": {"topology": topology},
        "swarm": {"enabled": True},
        **cluster,
    }
    return parse_config(block, {})


def get_agent_sha256(reports: Mapping[str, NodeReport]) -> str:
    """The sha256 of the node program that the recording was made with."""
    (sha256,) = {str(_to_mapping(report.steps["agent"])["sha256"]) for report in reports.values()}
    return sha256


def build_plan(
    declaration: Declaration, reports: Mapping[str, NodeReport], sha256: str = "new"
) -> RackPlan:
    plan = plan_rack(declaration, reports, STACK, sha256)
    assert plan.problems == ()
    return plan


def _to_mapping(value: object) -> Mapping[str, object]:
    assert isinstance(value, dict)
    return value
