"""`pause REQUEST`: ask the supervisor of a service on this node, that of rank 0, to end all ranks
and start none until a restart is asked for. REQUEST is JSON: {"service": name}."""

from __future__ import annotations

from collections.abc import Sequence

from node.host.system import System
from node.supervision.paths import get_pause_path
from node.verbs.restart import require_coordinator


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """One line. Raises StepError where nobody would take the request."""
    service = require_coordinator(system, arguments)
    system.write(get_pause_path(service), "", 0o600)
    return [f"service {service}: will be paused"]
