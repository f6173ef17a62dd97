"""The verb `clear SERVICE`: end and remove what of a service is on this node, whoever made it. The
launch that serves is kept, so that it can be started again where the next one fails."""

from __future__ import annotations

from collections.abc import Sequence

from node.errors import StepError
from node.host.system import System
from node.ranks.stopping import remove_ranks
from node.rollback.keeping import keep_rank
from node.state import lock


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """A line for each thing that ended. Raises StepError."""
    if len(arguments) != 1:
        raise StepError("`clear` needs the name of one service.")
    service = arguments[0]
    with lock.hold(system, f"clear {service}"):
        messages = keep_rank(system, service)
        messages += remove_ranks(system, lambda item: item.service == service)
    return messages or [f"service {service}: nothing on this node"]
