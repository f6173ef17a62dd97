"""Wait until a service answers, on each node that runs a rank of it; end it safely if it cannot.

The head's node, that of rank 0, asks for one token over the public address; the others see that it
was given. The step changes nothing that the node's lock guards, and does not hold it: it may wait
for an hour.
"""

from __future__ import annotations

from node.host.system import System
from node.readiness.want import Want
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec, find_no_difference, keep_want


def observe(system: System, request: StepRequest) -> dict[str, object]:
    """It has no state of its own; but who asks for it gets the engines looked at."""
    from node.readiness import query

    return {**query.query(system, request.raw)}


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    """Raises StepError with the failure, what to do, and the log's end; the engine is then gone."""
    from node.readiness.starting import wait_until_ready

    return wait_until_ready(manifest.system, want, get_node(manifest.owner))


def get_node(owner: str) -> str:
    """
    >>> get_node("spark/demo/spark-1/ready:qwen")
    'spark-1'
    """
    return owner.split("/")[2]


SPEC = StepSpec(
    name="ready",
    want=Want,
    observed=dict,
    observe=observe,
    narrow=keep_want,
    compare=find_no_difference,
    apply=apply,
    phrase="will be probed with a one-token completion",
    holds_lock=False,
    is_probe=True,
)
