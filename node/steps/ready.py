"""Wait until a service answers, on each node that runs a rank of it; end it safely if it cannot.

The head's node, that of rank 0, asks for one token over the public address; the others see that it
was given. The step does not hold the node's lock: it may wait for an hour. A run that is supervised
already is waited for as its supervisor sees it: only that starts and ends its ranks. Where a start
fails, the launch that served before is started again (node.rollback).
"""

from __future__ import annotations

import math
from dataclasses import replace

from node.errors import StepError
from node.host.output import print_now
from node.host.system import System
from node.host.waiting import wait_until
from node.readiness.want import Want
from node.rollback.kept_launch import drop_kept
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec, find_no_difference, keep_want
from node.supervision.paths import get_request_path
from node.supervision.report import SupervisionReport, read_report

PAUSE_S = 1.0
BLOCKED_S = 120.0
"""How long a launch that is started again may be held up by a node: nobody sits through more."""

WAY_BACK = (
    "To stay with it, take the change back in the stack file (`pulumi preview` names it); until "
    "then `pulumi up` tries the new launch again."
)


def observe(system: System, request: StepRequest) -> dict[str, object]:
    """It has no state of its own; but who asks for it gets the engines looked at."""
    from node.readiness import query

    return {**query.query(system, request.raw)}


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    """Raises StepError with the failure, what to do, and the log's end; the engine is then gone."""
    from node.readiness.abort import StartFailedError
    from node.readiness.starting import wait_until_ready

    system, node = manifest.system, get_node(manifest.owner)
    if _read_supervision(system, want) is not None:
        return _await_supervisor(system, want)
    try:
        messages = wait_until_ready(system, want, node)
    except StartFailedError as failure:
        sentence = _return_to_previous(system, want, node, failure.title)
        raise StepError("\n".join(filter(None, [str(failure), sentence]))) from None
    drop_kept(system, want.service)
    return messages


def _return_to_previous(system: System, want: Want, node: str, failure: str) -> str:
    """The sentence that says what serves now; empty where no launch is kept. Nodes that did not
    wait, as they could not see the API, cannot take part."""
    from node.readiness.target import find_target
    from node.rollback.restoring import restore_previous

    if find_target(want, node).is_loopback and len(want.members) > 1:
        return ""
    try:
        restored = restore_previous(system, want.service, want.token, failure)
        if restored is None:
            return ""
        if not restored.is_coordinator:
            return "The launch that served before is started again."
        print_now(f"{want.service}: the launch that served before is started again")
        _await_supervisor(system, replace(want, token=restored.token), BLOCKED_S)
    except (OSError, StepError) as error:
        return f"The launch that served before does not serve again: {error}"
    return f"The launch that served before serves again. {WAY_BACK}"


def _read_supervision(system: System, want: Want) -> SupervisionReport | None:
    """None where nobody looks after this run."""
    report = read_report(system, want.service)
    if report is None or report.is_active is False or report.token != want.token:
        return None
    return report


def _await_supervisor(system: System, want: Want, blocked_s: float = math.inf) -> list[str]:
    """Raises StepError where the supervisor starts nothing any more, is itself gone, or has been
    held up for `blocked_s`. What it says before it has taken a request is of before."""

    def find_end() -> list[SupervisionReport | None]:
        if system.get_state(get_request_path(want.service)) is not None:
            return []
        report = _read_supervision(system, want)
        if report is None or report.is_serving or report.has_ended:
            return [report]
        is_held = report.phase == "blocked" and (report.phase_age_s or 0.0) > blocked_s
        return [report] if is_held else []

    ends = wait_until(find_end, want.ready_timeout_s, PAUSE_S)
    if not ends:
        limit_s = int(want.ready_timeout_s)
        raise StepError(f"{want.service}: its supervisor has not brought it back in {limit_s} s.")
    (report,) = ends
    if report is None:
        raise StepError(f"{want.service}: its supervisor has ended; run `pulumi up` again.")
    if report.phase == "blocked":
        raise StepError(f"{want.service}: held up, {report.detail}; its supervisor goes on trying.")
    if report.has_ended:
        cause = report.detail or "no cause is known"
        raise StepError(
            f"{want.service}: {report.phase}, {cause}; `pulumi up` starts the whole service again."
        )
    return [f"{want.service}: serves, as its supervisor sees it"]


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
    phrase="will be probed with one request",
    holds_lock=False,
    is_probe=True,
)
