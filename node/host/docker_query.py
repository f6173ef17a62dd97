"""Questions to Docker whose silence is not taken for an answer."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from node.errors import StepError
from node.host.docker_api import get_message
from node.host.paths import DOCKER_SOCKET
from node.host.system import System

NOT_FOUND = 404
NOT_A_MANAGER = "not a swarm manager"
MANAGER_STARTS = "Manager is being prepared"
"""Docker says both of a manager that has not reached its cluster yet (moby, cluster/errors.go)."""

# Docker's own end of an object may come first: stopped already, gone, or being removed.
ENDED_ALREADY = (304, 404, 409)
STOP_LIMIT_S = 30.0


class DockerUnknown(StepError):
    """Docker did not answer, so what it has is unknown."""


def query(system: System, path: str, **parameters: object) -> object:
    """The answer's JSON; None where Docker has no such object, or this node is no manager.

    Raises DockerUnknown.
    """
    target = f"{path}?{urlencode(parameters)}" if parameters else path
    answer = system.request(DOCKER_SOCKET, "GET", target)
    if answer.ok:
        return answer.body
    reason = get_message(answer.body)
    is_worker = NOT_A_MANAGER in reason and MANAGER_STARTS not in reason
    if answer.status == NOT_FOUND or is_worker:
        return None
    if answer.status == 0:
        raise DockerUnknown(f"Docker does not answer ({reason})")
    raise DockerUnknown(f"Docker returns {answer.status} for {path} ({reason})")


def end_object(system: System, method: str, path: str, parameters: Mapping[str, object]) -> None:
    """Stop or remove an object; one that has gone already is fine. Raises StepError."""
    target = f"{path}?{urlencode(parameters)}" if parameters else path
    answer = system.request(DOCKER_SOCKET, method, target, timeout_s=STOP_LIMIT_S)
    if not answer.ok and answer.status not in ENDED_ALREADY:
        raise StepError(f"Docker: {method} {path} failed: {get_message(answer.body)}")
