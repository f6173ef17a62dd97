"""The Docker Engine API over its socket: `docker swarm join` would show the token in its argv."""

from __future__ import annotations

from node.errors import StepError
from node.host.paths import DOCKER_SOCKET
from node.host.system import System


def get(system: System, path: str, timeout_s: float = 10) -> object:
    """The JSON of the answer; None where Docker does not answer or refuses."""
    answer = system.request(DOCKER_SOCKET, "GET", path, timeout_s=timeout_s)
    return answer.body if answer.ok else None


def send(
    system: System, method: str, path: str, body: object = None, timeout_s: float = 60
) -> object:
    """A request that changes something. Raises StepError with Docker's own message."""
    answer = system.request(DOCKER_SOCKET, method, path, body, timeout_s)
    if not answer.ok:
        raise StepError(f"Docker says: {get_message(answer.body)}")
    return answer.body


def get_message(body: object) -> str:
    return str(body.get("message", body)) if isinstance(body, dict) else str(body).strip()
