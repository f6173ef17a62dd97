"""A node as the plugin sees it: a Docker Engine behind an SSH server with a pinned host key."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi_offline_tests.conformance.ssh_server import Keys, SshServer, make_keys, run_ssh_server
from pulumi_offline_tests.conformance_docker.dockerd import Dockerd


@dataclass(frozen=True)
class DockerNode:
    """One engine and the SSH server in front of it."""

    dockerd: Dockerd
    server: SshServer

    @property
    def docker(self) -> Any:
        """The library's own client, past SSH and past the plugin."""
        return self.dockerd.client

    @property
    def url(self) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.server.port}"

    def build_ssh_options(self, host_key: str | None = None) -> list[str]:
        """Options that log in with the test's key and pin the host key inline."""
        pinned = host_key or self.server.keys.read_host_public("ed25519")
        name = f"[127.0.0.1]:{self.server.port}"
        options = [
            "UserKnownHostsFile=/dev/null",
            "GlobalKnownHostsFile=/dev/null",
            f"KnownHostsCommand=/bin/echo {name} {pinned}",
            "IdentitiesOnly=yes",
            f"IdentityFile={self.server.keys.folder / 'login'}",
        ]
        return [argument for option in options for argument in ("-o", option)]

    def build_config(self, **changes: Any) -> dict[str, Any]:
        return {"host": self.url, "sshOpts": self.build_ssh_options(), **changes}


@contextmanager
def run_node(folder: Path, dockerd: Dockerd) -> Iterator[DockerNode]:
    folder.mkdir(parents=True, exist_ok=True)
    keys: Keys = make_keys(folder)
    # The remote command `docker system dial-stdio` finds the test's engine by this variable.
    with run_ssh_server(folder / "sshd", keys, f"SetEnv DOCKER_HOST={dockerd.url}") as server:
        yield DockerNode(dockerd, server)
