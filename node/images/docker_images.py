"""Images in the node's own Docker Engine: what is there, pull, build, save, load, tag, remove."""

from __future__ import annotations

import http.client
import json
import platform
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from node.errors import Refusal
from node.host.daemons import last_words
from node.host.docker_api import get
from node.host.local_http import LocalConnection
from node.host.paths import DOCKER_SOCKET
from node.host.plain import listing, mapping
from node.host.progress import Progress
from node.host.system import System
from node.images import reference

PULL_SILENCE_S = 300.0
LONG_S = 3600.0


def names(system: System) -> dict[str, str]:
    """Image id by each name, with a tag or with a digest, under which the engine knows it."""
    found = {}
    for image in listing(get(system, "/images/json")):
        for name in [*listing(image.get("RepoTags")), *listing(image.get("RepoDigests"))]:
            found[str(name)] = str(image.get("Id"))
    return found


def inspect(system: System, text: str) -> dict[str, Any] | None:
    found = mapping(get(system, f"/images/{quote(text, safe='/:@')}/json"))
    return found or None


def identity(system: System, text: str) -> str | None:
    """The image's id; None where the engine does not have it."""
    found = inspect(system, text)
    return str(found["Id"]) if found else None


def pull(system: System, text: str, password: str | None) -> str:
    """Pull it; with the password only where the registry asks for one. Returns how much came.

    Raises Refusal with what to do."""
    progress = Progress(text, 1)
    said = _pull(system, text, None, progress)
    if said and reference.is_denied(said) and password:
        header = reference.credentials(reference.parse(text).registry, password)
        said = _pull(system, text, header, progress)
    if said:
        has_password = password is not None
        raise Refusal(reference.words(text, said, machine(), has_password=has_password))
    return progress.summary() if progress.has_moved() else "(all of its layers were here)"


def machine() -> str:
    return f"{platform.system().lower()}/{architecture()}"


def architecture() -> str:
    """The kernel's name for it in Docker's (Go's) words."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _pull(system: System, text: str, auth: str | None, progress: Progress) -> str | None:
    """None where it worked, else the engine's words."""
    parts = reference.parse(text)
    query = urlencode({"fromImage": parts.repository, "tag": parts.version})
    headers = {"X-Registry-Auth": auth} if auth else {}
    connection = LocalConnection(str(system.path(DOCKER_SOCKET)), PULL_SILENCE_S)
    try:
        connection.request("POST", f"/images/create?{query}", headers=headers)
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            return str(mapping(json.loads(response.read())).get("message"))
        return _follow(response, progress)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"Docker: {error or type(error).__name__}"
    finally:
        connection.close()


def _follow(response: http.client.HTTPResponse, progress: Progress) -> str | None:
    """One JSON document a line; each layer says how much of it has come."""
    sizes: dict[str, tuple[int, int]] = {}
    for event in _events(response):
        if "error" in event:
            return str(event["error"])
        detail = mapping(event.get("progressDetail"))
        if event.get("status") == "Downloading" and detail.get("total"):
            sizes[str(event.get("id"))] = int(detail.get("current", 0)), int(detail["total"])
            progress.out_of(sum(total for _, total in sizes.values()))
            progress.at(sum(current for current, _ in sizes.values()))
    return None


def _events(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    for line in response:
        if line.strip():
            yield mapping(json.loads(line))


def build(system: System, name: str, dockerfile: str) -> None:
    """Build it without a context. Raises Refusal with the last words."""
    # A build that fails must not leave a container that holds the image.
    argv = ["docker", "build", "--force-rm", "--network", "host", "--tag", name, "-"]
    done = system.run(argv, stdin=dockerfile, timeout_s=LONG_S)
    if done.code:
        raise Refusal(f"The layer {name} cannot be built: {last_words(done)}")


def command(system: System, *arguments: str) -> None:
    """A docker command that has to succeed. Raises Refusal."""
    done = system.run(["docker", *arguments], timeout_s=LONG_S)
    if done.code:
        raise Refusal(f"`docker {' '.join(arguments[:2])}` failed: {last_words(done)}")
