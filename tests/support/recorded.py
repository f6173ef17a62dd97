"""Recorded facts of tests/data/facts, and the same with one value changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparkform.config import Declaration, parse_config
from sparkform.plan.steps import StackName
from sparkform.report.rack_report import Observation
from sparkform.report.recording import load_facts

DATA = Path(__file__).parents[1] / "data"
FOLDER = DATA / "facts"
STACK = StackName("sparkform", "cli")
UNTOUCHED, UP = "direct-untouched", "direct-in-swarm"
Key = str | int


def load_recording(name: str) -> Observation:
    return load_facts(FOLDER / f"{name}.json")


def change_report(
    observation: Observation, node: str, keys: Sequence[Key], value: Any
) -> Observation:
    """`place` leads from the node's document to the value."""
    tree = json.loads(observation.model_dump_json())
    branch: Any = tree["nodes"][node]["report"]
    for key in keys[:-1]:
        branch = branch[key]
    branch[keys[-1]] = value
    return Observation.model_validate_json(json.dumps(tree))


def silence_node(observation: Observation, node: str, kind: str = "unreachable") -> Observation:
    """The same look, in which one node did not answer."""
    error = {"kind": kind, "what": f"{node} does not answer.", "remedy": "Look at it."}
    tree = json.loads(observation.model_dump_json())
    tree["nodes"][node] = {"report": None, "error": error}
    return Observation.model_validate_json(json.dumps(tree))


def get_recorded_agent(observation: Observation) -> str:
    """The digest of the node program that was there: later ones would be drift."""
    agents = [report.steps.get("agent") for report in observation.reports.values()]
    digests = [agent["sha256"] for agent in agents if isinstance(agent, dict)]
    return str(digests[0])


def build_rack_declaration(topology: str = "direct", count: int = 2, **cluster: Any) -> Declaration:
    """The declaration of the recorded rack; `cluster` adds to its block."""
    nodes = [
        {"name": f"spark-{position + 1}", "host": f"10.87.153.{position + 11}", "index": position}
        for position in range(count)
    ]
    block = {"user": "nvidia", "nodes": nodes, "fabric": {"topology": topology}}
    return parse_config({**block, **cluster})


SWARM: dict[str, Any] = {"swarm": {"enabled": True}}
