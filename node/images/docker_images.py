"""Images in the node's Docker Engine: list, inspect, pull, build, save, load and tag."""

from __future__ import annotations

import http.client
import json
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from node.errors import StepError
from node.host.daemons import get_last_line
from node.host.docker_api import get
from node.host.docker_query import query
from node.host.local_http import LocalConnection
from node.host.paths import DOCKER_SOCKET
from node.host.plain import as_list, as_mapping
from node.host.progress import TransferProgress
from node.host.system import System
from node.images import reference

PULL_SILENCE_S = 300.0
LONG_S = 3600.0


def list_names(system: System) -> dict[str, str]:
    """Image ids by name, with a tag or a digest."""
    ids = {}
    for image in as_list(get(system, "/images/json")):
        for name in [*as_list(image.get("RepoTags")), *as_list(image.get("RepoDigests"))]:
            ids[str(name)] = str(image.get("Id"))
    return ids


@dataclass(frozen=True)
class ImageDetails:
    """`architecture` is "" where the image does not say it; size in bytes."""

    identity: str
    architecture: str
    size: int


def inspect(system: System, text: str) -> ImageDetails | None:
    """None where Docker does not have the image. Raises DockerUnknown."""
    document = as_mapping(query(system, f"/images/{quote(text, safe='/:@')}/json"))
    if not document:
        return None
    architecture = document.get("Architecture") or ""
    return ImageDetails(str(document["Id"]), str(architecture), int(document.get("Size") or 0))


def get_image_id(system: System, text: str) -> str | None:
    """The image's id; None where Docker does not have it. Raises DockerUnknown."""
    details = inspect(system, text)
    return details.identity if details else None


def pull(system: System, text: str, password: str | None) -> str:
    """Pull it, with the password only where the registry demands one. Returns how much arrived.

    Raises StepError with what to do."""
    progress = TransferProgress(text, 1)
    error = _pull(system, text, None, progress)
    if error and reference.is_denied(error) and password:
        header = reference.encode_credentials(reference.parse_reference(text).registry, password)
        error = _pull(system, text, header, progress)
    if error:
        has_password = password is not None
        raise StepError(
            reference.format_pull_error(text, error, get_platform(), has_password=has_password)
        )
    return progress.summarize() if progress.has_moved() else "(all layers present)"


def get_platform() -> str:
    return f"{platform.system().lower()}/{get_architecture()}"


def get_architecture() -> str:
    """The processor architecture, by Docker's name for it."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _pull(system: System, text: str, auth: str | None, progress: TransferProgress) -> str | None:
    """Docker's error message; None for success."""
    image_reference = reference.parse_reference(text)
    query = urlencode({"fromImage": image_reference.repository, "tag": image_reference.version})
    headers = {"X-Registry-Auth": auth} if auth else {}
    connection = LocalConnection(str(system.path(DOCKER_SOCKET)), PULL_SILENCE_S)
    try:
        connection.request("POST", f"/images/create?{query}", headers=headers)
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            return str(as_mapping(json.loads(response.read())).get("message"))
        return _follow_progress(response, progress)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"Docker: {error or type(error).__name__}"
    finally:
        connection.close()


def _follow_progress(response: http.client.HTTPResponse, progress: TransferProgress) -> str | None:
    """One JSON document a line; each layer reports how much of it has arrived."""
    sizes: dict[str, tuple[int, int]] = {}
    for event in _read_events(response):
        if "error" in event:
            return str(event["error"])
        detail = as_mapping(event.get("progressDetail"))
        if event.get("status") == "Downloading" and detail.get("total"):
            sizes[str(event.get("id"))] = int(detail.get("current", 0)), int(detail["total"])
            progress.set_total(sum(total for _, total in sizes.values()))
            progress.set_done(sum(current for current, _ in sizes.values()))
    return None


def _read_events(response: http.client.HTTPResponse) -> Iterator[dict[str, object]]:
    for line in response:
        if line.strip():
            yield as_mapping(json.loads(line))


def build_image(system: System, name: str, dockerfile: str) -> None:
    """Build it without a context. Raises StepError with the last output."""
    # A build that fails must not leave a container that holds the image.
    argv = ["docker", "build", "--force-rm", "--network", "host", "--tag", name, "-"]
    result = system.run(argv, stdin=dockerfile, timeout_s=LONG_S)
    if result.code:
        raise StepError(f"{name} cannot be built: {get_last_line(result)}")


def run_docker(system: System, *arguments: str) -> None:
    """Run a docker command that must succeed. Raises StepError."""
    result = system.run(["docker", *arguments], timeout_s=LONG_S)
    if result.code:
        raise StepError(f"`docker {' '.join(arguments[:2])}` failed: {get_last_line(result)}")
