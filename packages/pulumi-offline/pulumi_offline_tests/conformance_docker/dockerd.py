"""A Docker Engine of the tests' own: in its own network, with its own folders, behind a socket."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker  # type: ignore[import-untyped]

ADDRESS = "10.99.0.1"
# A veth pair stands for the network card: a Swarm needs an address to advertise.
NETWORK = " && ".join(
    [
        "ip link set lo up",
        "ip link add card type veth peer name cable",
        f"ip address add {ADDRESS}/24 dev card",
        "ip link set card up",
        "ip link set cable up",
    ]
)
START_LIMIT_S = 60
END_LIMIT_S = 20
APPLETS = ("sh", "sleep", "cat", "env", "true", "false", "echo", "id", "ls", "test")


@dataclass(frozen=True)
class Dockerd:
    """A running engine, and the library's client of it."""

    socket: Path
    client: Any
    pid: int

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"


def find_program(program: str, package: str) -> str:
    executable = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    assert executable, (
        f"{program} is missing: install the package {package} (apt install {package})"
    )
    return executable


def build_command(folder: Path) -> list[str]:
    """dockerd in a network and with mounts of its own: it leaves nothing behind on the machine."""
    dockerd = [
        find_program("dockerd", "docker.io"),
        f"--data-root={folder}/data",
        f"--exec-root={folder}/exec",
        f"--pidfile={folder}/pid",
        f"--host=unix://{folder}/docker.sock",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-masq=false",
        "--ip-forward=false",
        "--node-generic-resource=NVIDIA-GPU=GPU-0",
        "--node-generic-resource=NVIDIA-GPU=GPU-1",
    ]
    inside = f"{NETWORK} && exec {' '.join(dockerd)}"
    return [find_program("unshare", "util-linux"), "--net", "--mount", "sh", "-c", inside]


@contextmanager
def run_dockerd() -> Iterator[Dockerd]:
    """An engine that is the only member of its Swarm and holds the image `busybox:1`."""
    # Not pytest's folder: a socket's path may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="dockerd-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(build_command(folder), stdout=log, stderr=log)
        try:
            client = wait_until_answering(process, folder)
            client.import_image_from_data(build_busybox(), repository="busybox", tag="1")
            client.init_swarm(advertise_addr=ADDRESS)
            yield Dockerd(folder / "docker.sock", client, process.pid)
            remove_all(client)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def wait_until_answering(process: subprocess.Popen[bytes], folder: Path) -> Any:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, (folder / "log").read_text()[-2000:]
        if (folder / "docker.sock").exists():
            return docker.APIClient(base_url=f"unix://{folder}/docker.sock", version="auto")
        time.sleep(0.1)
    raise AssertionError((folder / "log").read_text()[-2000:])


def remove_all(client: Any) -> None:
    for service in client.services():
        client.remove_service(service["ID"])
    for secret in client.secrets():
        client.remove_secret(secret["ID"])
    for config in client.configs():
        client.remove_config(config["ID"])
    deadline = time.monotonic() + END_LIMIT_S
    while containers := client.containers(all=True):
        assert time.monotonic() < deadline, f"these do not go: {containers}"
        for container in containers:
            # A service's containers are being removed by the Swarm at the same time.
            with suppress(docker.errors.APIError):
                client.remove_container(container["Id"], force=True, v=True)
        time.sleep(0.05)


def build_busybox() -> bytes:
    """The files of a small image: a static busybox and some of its names."""
    program = find_program("busybox", "busybox-static")
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        archive.add(program, arcname="bin/busybox")
        for name in APPLETS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname, link.mode = tarfile.SYMTYPE, "busybox", 0o755
            archive.addfile(link)
    return written.getvalue()
