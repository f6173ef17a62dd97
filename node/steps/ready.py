"""Wait until a service answers, on each node that runs a rank of it; end it safely if it cannot.

want: {"service", "token", "engine", "runtime", "members": [{"rank", "node", "container" or "unit",
"management_address"}], "url", "served_name", "ready_timeout_s", "silence_timeout_s", "key_file",
"over_rdma", "checked": {step: {"owner", "run"}}} (node.readiness.wanted). The head's node, that of
rank 0, asks for one token over the public address; the others see that it was given. The step
changes nothing that the node's lock guards, and does not hold it: it may wait for an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.host.system import System
from node.state.manifest import Journal
from node.steps.stateless import differences, disturbs, narrow

Json = Mapping[str, Any]
__all__ = ["apply", "differences", "disturbs", "narrow", "observe"]


def observe(system: System, request: Json) -> dict[str, Any]:
    """It has no state of its own; but who asks for it gets the engines looked at."""
    from node.readiness import look

    return look.look(system, request)


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    """Raises Refusal with the failure, what to do, and the log's end; the engine is then gone."""
    from node.readiness.waiting import wait

    return wait(journal.system, want, node_of(journal.owner))


def node_of(owner: str) -> str:
    """
    >>> node_of("spark/demo/spark-1/ready:qwen")
    'spark-1'
    """
    return owner.split("/")[2]
