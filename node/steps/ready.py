"""Wait until a service answers, on each node that runs a rank of it; end it safely if it cannot.

want: {"service", "token", "engine", "runtime", "members": [{"rank", "node", "container" or "unit",
"management_address"}], "url", "served_name", "ready_timeout_s", "silence_timeout_s", "key_file",
"over_rdma", "checked": {step: {"owner", "run"}}} (node.readiness.target). The head's node, that of
rank 0, asks for one token over the public address; the others see that it was given. The step
changes nothing that the node's lock guards, and does not hold it: it may wait for an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.host.system import System
from node.state.manifest import Manifest
from node.steps.stateless import compare, get_disturbance, narrow

Json = Mapping[str, Any]
__all__ = ["apply", "compare", "get_disturbance", "narrow", "observe"]


def observe(system: System, request: Json) -> dict[str, Any]:
    """It has no state of its own; but who asks for it gets the engines looked at."""
    from node.readiness import query

    return {**query.query(system, request)}


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    """Raises Refusal with the failure, what to do, and the log's end; the engine is then gone."""
    from node.readiness.starting import wait_until_ready

    return wait_until_ready(manifest.system, want, get_node(manifest.owner))


def get_node(owner: str) -> str:
    """
    >>> get_node("spark/demo/spark-1/ready:qwen")
    'spark-1'
    """
    return owner.split("/")[2]
