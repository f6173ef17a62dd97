"""Wait until a service answers, on each node that runs a rank of it; end it safely if it cannot.

The head's node, that of rank 0, asks for one token over the public address; the others see that it
was given. The step changes nothing that the node's lock guards, and does not hold it: it may wait
for an hour. A run that is supervised already is waited for as its supervisor sees it: only that
starts and ends its ranks.
"""

from __future__ import annotations

from node.errors import StepError
from node.host.system import System
from node.host.waiting import wait_until
from node.readiness.want import Want
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec, find_no_difference, keep_want
from node.supervision.report import SupervisionReport, read_report

PAUSE_S = 1.0


def observe(system: System, request: StepRequest) -> dict[str, object]:
    """It has no state of its own; but who asks for it gets the engines looked at."""
    from node.readiness import query

    return {**query.query(system, request.raw)}


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    """Raises StepError with the failure, what to do, and the log's end; the engine is then gone."""
    from node.readiness.starting import wait_until_ready

    if _read_supervision(manifest.system, want) is not None:
        return _await_supervisor(manifest.system, want)
    return wait_until_ready(manifest.system, want, get_node(manifest.owner))


def _read_supervision(system: System, want: Want) -> SupervisionReport | None:
    """None where nobody looks after this run."""
    report = read_report(system, want.service)
    if report is None or report.is_active is False or report.token != want.token:
        return None
    return report


def _await_supervisor(system: System, want: Want) -> list[str]:
    """Raises StepError where the supervisor starts nothing any more, or is itself gone."""

    def find_end() -> list[SupervisionReport | None]:
        report = _read_supervision(system, want)
        is_over = report is None or report.is_serving or report.has_ended
        return [report] if is_over else []

    ends = wait_until(find_end, want.ready_timeout_s, PAUSE_S)
    if not ends:
        limit_s = int(want.ready_timeout_s)
        raise StepError(f"{want.service}: its supervisor has not brought it back in {limit_s} s.")
    (report,) = ends
    if report is None:
        raise StepError(f"{want.service}: its supervisor has ended; run `pulumi up` again.")
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
