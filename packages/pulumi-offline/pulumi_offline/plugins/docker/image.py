"""Images: found on the node, else pulled by its daemon."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pulumi_offline.plugins.docker.daemon import (
    Daemon,
    DaemonError,
    NotFoundError,
    prefix_errors,
)


def ensure_image(daemon: Daemon, name: str) -> None:
    """Pulls the image if the node does not have it. Raises DaemonError."""
    if has_image(daemon, name):
        return
    output = pull_image(daemon, name)
    if not has_image(daemon, name):
        reason = next(list_pull_errors(output), "the registry gave no reason")
        raise DaemonError(f"unable to find or pull image {name}: {reason}")


def has_image(daemon: Daemon, name: str) -> bool:
    try:
        with daemon.connect() as client:
            client.inspect_image(name)
            return True
    except NotFoundError:
        return False


def pull_image(daemon: Daemon, name: str) -> str:
    """What the daemon prints while it pulls: one JSON document a line."""
    prefix = f"unable to pull image {name}: error pulling image {name}: "
    with prefix_errors(prefix), daemon.connect() as client:
        output: str = client.pull(name)
        return output


def list_pull_errors(output: str) -> Iterator[str]:
    """The errors among the lines: a pull that fails late answers 200 all the same."""
    for line in output.splitlines():
        try:
            document: object = json.loads(line)
        except ValueError:
            continue
        if isinstance(document, dict) and "error" in document:
            yield str(document["error"])
