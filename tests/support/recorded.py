"""Recorded facts of tests/data/facts, and the same with one value changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparkform.config import Spec, parse_config
from sparkform.plan.steps import StackName
from sparkform.report.rack_report import Observation
from sparkform.report.recording import load_facts

FOLDER = Path(__file__).parents[1] / "data" / "facts"
STACK = StackName("sparkform", "cli")
UNTOUCHED, UP = "direct-untouched", "direct-in-swarm"
Key = str | int


def recording(name: str) -> Observation:
    return load_facts(FOLDER / f"{name}.json")


def changed(seen: Observation, node: str, place: Sequence[Key], value: Any) -> Observation:
    """`place` leads from the node's document to the value."""
    tree = json.loads(seen.model_dump_json())
    below: Any = tree["nodes"][node]["document"]
    for key in place[:-1]:
        below = below[key]
    below[place[-1]] = value
    return Observation.model_validate_json(json.dumps(tree))


def silent(seen: Observation, node: str, kind: str = "unreachable") -> Observation:
    """The same look, in which one node did not answer."""
    error = {"kind": kind, "what": f"{node} does not answer.", "remedy": "Look at it."}
    tree = json.loads(seen.model_dump_json())
    tree["nodes"][node] = {"document": None, "error": error}
    return Observation.model_validate_json(json.dumps(tree))


def program_of(seen: Observation) -> str:
    """The digest of the node program that was there: later ones would be drift."""
    anchors = [document.steps.get("anchor") for document in seen.documents.values()]
    found = [one["sha256"] for one in anchors if isinstance(one, dict)]
    return str(found[0])


def rack_spec(topology: str = "direct", count: int = 2, **cluster: Any) -> Spec:
    """The declaration of the recorded rack; `cluster` adds to its block."""
    listed = [
        {"name": f"spark-{at + 1}", "host": f"10.87.153.{at + 11}", "index": at}
        for at in range(count)
    ]
    block = {"user": "nvidia", "nodes": listed, "fabric": {"topology": topology}}
    return parse_config({**block, **cluster})


SWARM: dict[str, Any] = {"swarm": {"enabled": True}}
