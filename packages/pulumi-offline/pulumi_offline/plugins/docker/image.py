"""Images: found on the node, else pulled by its daemon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pulumi_offline.plugins.docker.daemon import Daemon, DaemonError, Missing, words
from pulumi_offline.plugins.docker.kind import Change, Plain


def ensure_image(daemon: Daemon, name: str, platform: str = "") -> Plain:
    """The image, pulled if the node does not have it. Raises DaemonError."""
    found = find_image(daemon, name)
    if found is not None:
        return found
    said = pull(daemon, name, platform)
    found = find_image(daemon, name)
    if found is None:
        reason = next(pull_errors(said), "the registry gave no reason")
        raise DaemonError(f"unable to find or pull image {name}: {reason}")
    return found


def find_image(daemon: Daemon, name: str) -> Plain | None:
    try:
        with daemon.asked() as client:
            found: Plain = client.inspect_image(name)
            return found
    except Missing:
        return None


def pull(daemon: Daemon, name: str, platform: str) -> str:
    """What the daemon said while it pulled: one JSON document a line."""
    doing = f"unable to pull image {name}: error pulling image {name}: "
    with words(doing), daemon.asked() as client:
        said: str = client.pull(name, platform=platform or None)
        return said


def pull_errors(said: str) -> Iterator[str]:
    """The errors among the lines: a pull that fails late answers 200 all the same."""
    for line in said.splitlines():
        try:
            document: Any = json.loads(line)
        except ValueError:
            continue
        if isinstance(document, dict) and "error" in document:
            yield str(document["error"])


def repo_digest(name: str, digests: list[str]) -> str:
    """The digest under which a registry knows the image, of several the one with its name."""
    bare = name.partition(":")[0]
    fitting = (digest for digest in digests if digest.startswith(bare))
    return next(fitting, digests[0] if digests else "")


class RemoteImages:
    """`docker:index/remoteImage:RemoteImage`."""

    def create(self, daemon: Daemon, desired: Plain) -> str:
        with words("Unable to read Docker image into resource: "):
            found = ensure_image(daemon, desired["name"], desired.get("platform", ""))
        return str(found["Id"]) + str(desired["name"])

    def read(self, daemon: Daemon, thing_id: str, before: Plain) -> Plain | None:
        found = find_image(daemon, before["name"])
        if found is None:
            return None
        digest = repo_digest(before["name"], found.get("RepoDigests") or [])
        image_id = found["Id"]
        return {
            **before,
            "id": image_id + before["name"],
            "imageId": image_id,
            "repoDigest": digest,
        }

    def update(self, daemon: Daemon, thing_id: str, change: Change) -> Plain:
        self.create(daemon, change.desired)
        found = self.read(daemon, thing_id, change.desired)
        return found if found is not None else change.desired

    def delete(self, daemon: Daemon, thing_id: str, before: Plain) -> None:
        """Nothing where it is to be kept, or is gone."""
        if before.get("keepLocally") or find_image(daemon, before["name"]) is None:
            return
        with words("Unable to remove Docker image: "), daemon.asked() as client:
            client.remove_image(before["name"], force=bool(before.get("forceRemove")))
