"""Plans out of recorded facts: what unit tests of the planner start from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparkform.config import Spec, parse_config
from sparkform.plan.rack import RackPlan, plan_rack
from sparkform.plan.steps import StackName
from sparkform.report.facts import NodeDocument
from sparkform.report.recording import load_facts

FACTS = Path(__file__).parents[1] / "data" / "facts"
# Recorded on simulated nodes, by this stack and with this Swarm.
STACK = StackName("sparkform", "rec")
NODES = {"direct": 2, "switch": 3}


def recorded(name: str) -> dict[str, NodeDocument]:
    """Documents by node name: `direct-2-untouched`, `direct-2-up`, `switch-3-untouched`, …"""
    return dict(load_facts(FACTS / f"{name}.json").documents)


def declared(topology: str, count: int, **cluster: Any) -> Spec:
    nodes = [{"name": f"spark-{at}", "host": f"10.0.0.{at}"} for at in range(1, count + 1)]
    block = {
        "user": "nvidia",
        "nodes": nodes,
        "fabric": {"topology": topology},
        "swarm": {"enabled": True},
        **cluster,
    }
    return parse_config(block, {})


def installed(documents: Mapping[str, NodeDocument]) -> str:
    """The sha256 of the node program that the recording was made with."""
    (found,) = {str(_mapping(one.steps["anchor"])["sha256"]) for one in documents.values()}
    return found


def planned(spec: Spec, documents: Mapping[str, NodeDocument], sha256: str = "new") -> RackPlan:
    plan = plan_rack(spec, documents, STACK, sha256)
    assert plan.problems == ()
    return plan


def _mapping(value: object) -> Mapping[str, object]:
    assert isinstance(value, dict)
    return value
