"""Images: found on the node, else pulled by its daemon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pulumi_offline.plugins.docker.daemon import Daemon, DaemonError, Missing, translate_errors
from pulumi_offline.plugins.docker.kind import Change, Plain


def ensure_image(daemon: Daemon, name: str, platform: str = "") -> Plain:
    """The image, pulled if the node does not have it. Raises DaemonError."""
    document = find_image(daemon, name)
    if document is not None:
        return document
    message = pull(daemon, name, platform)
    document = find_image(daemon, name)
    if document is None:
        reason = next(pull_errors(message), "the registry gave no reason")
        raise DaemonError(f"unable to find or pull image {name}: {reason}")
    return document


def find_image(daemon: Daemon, name: str) -> Plain | None:
    try:
        with daemon.open_client() as client:
            document: Plain = client.inspect_image(name)
            return document
    except Missing:
        return None


def pull(daemon: Daemon, name: str, platform: str) -> str:
    """What the daemon said while it pulled: one JSON document a line."""
    doing = f"unable to pull image {name}: error pulling image {name}: "
    with translate_errors(doing), daemon.open_client() as client:
        message: str = client.pull(name, platform=platform or None)
        return message


def pull_errors(message: str) -> Iterator[str]:
    """The errors among the lines: a pull that fails late answers 200 all the same."""
    for line in message.splitlines():
        try:
            document: Any = json.loads(line)
        except ValueError:
            continue
        if isinstance(document, dict) and "error" in document:
            yield str(document["error"])


def find_repo_digest(name: str, digests: list[str]) -> str:
    """The digest under which a registry knows the image, of several the one with its name."""
    bare = name.partition(":")[0]
    fitting = (digest for digest in digests if digest.startswith(bare))
    return next(fitting, digests[0] if digests else "")


class RemoteImages:
    """`docker:index/remoteImage:RemoteImage`."""

    def create(self, daemon: Daemon, desired: Plain) -> str:
        with translate_errors("Unable to read Docker image into resource: "):
            document = ensure_image(daemon, desired["name"], desired.get("platform", ""))
        return str(document["Id"]) + str(desired["name"])

    def read(self, daemon: Daemon, thing_id: str, before: Plain) -> Plain | None:
        document = find_image(daemon, before["name"])
        if document is None:
            return None
        digest = find_repo_digest(before["name"], document.get("RepoDigests") or [])
        image_id = document["Id"]
        return {
            **before,
            "id": image_id + before["name"],
            "imageId": image_id,
            "repoDigest": digest,
        }

    def update(self, daemon: Daemon, thing_id: str, change: Change) -> Plain:
        self.create(daemon, change.desired)
        document = self.read(daemon, thing_id, change.desired)
        return document if document is not None else change.desired

    def delete(self, daemon: Daemon, thing_id: str, before: Plain) -> None:
        """Nothing where it is to be kept, or is gone."""
        if before.get("keepLocally") or find_image(daemon, before["name"]) is None:
            return
        with translate_errors("Unable to remove Docker image: "), daemon.open_client() as client:
            client.remove_image(before["name"], force=bool(before.get("forceRemove")))
