"""`restart REQUEST`: ask the supervisor of a service on this node, that of rank 0, to start all of
its ranks again. REQUEST is JSON: {"service": name}.

It only leaves a request, which the supervisor takes within seconds; it is not counted among the
restarts, and ends a state in which the service was given up.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from node.errors import StepError
from node.host.plain import as_mapping
from node.host.system import System
from node.supervision.paths import get_request_path
from node.supervision.report import read_report

UP_STARTS_IT = "`pulumi up` starts the whole service."


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """One line. Raises StepError where nobody would take the request."""
    service = require_coordinator(system, arguments)
    system.write(get_request_path(service), "", 0o600)
    return [f"service {service}: will be restarted"]


def require_coordinator(system: System, arguments: Sequence[str]) -> str:
    """The service whose supervisor takes requests on this node. Raises StepError."""
    service = _parse_service(arguments)
    report = read_report(system, service)
    if report is None or report.is_active is False:
        raise StepError(f"Service {service} has no supervisor that runs; {UP_STARTS_IT}")
    if report.unknown is None and not report.is_coordinator:
        raise StepError(f"Rank 0 of service {service} runs on another node; ask there.")
    if report.phase == "needs-up":
        raise StepError(f"Of service {service} a container or unit is gone; {UP_STARTS_IT}")
    return service


def _parse_service(arguments: Sequence[str]) -> str:
    try:
        request = as_mapping(json.loads(arguments[0]))
    except (IndexError, ValueError):
        raise StepError("`restart` needs its request as JSON.") from None
    return str(request.get("service", ""))
