"""Real OpenSSH servers on loopback, each with its own configuration, keys and folder."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOST_KEY_KINDS = ("ed25519", "ecdsa", "rsa")


def find_sshd() -> str:
    """The OpenSSH server; fails with the package's name where it is missing."""
    executable = shutil.which(
        "sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    )
    assert executable, (
        "sshd is missing: install the package openssh-server (apt install openssh-server)"
    )
    return executable


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def make_key(
    path: Path, kind: str = "ed25519", passphrase: str = "", form: str = "RFC4716"
) -> Path:
    """A fresh key pair at path and path.pub; RFC4716 is OpenSSH's own form of private keys."""
    command = ["ssh-keygen", "-q", "-t", kind, "-m", form, "-N", passphrase, "-C", "test"]
    subprocess.run([*command, "-f", str(path)], check=True)
    return path


@dataclass(frozen=True)
class Keys:
    """One login key and one host key of each kind, made once for all servers of a run."""

    folder: Path

    @property
    def login(self) -> str:
        return (self.folder / "login").read_text()

    def read_host_public(self, kind: str) -> str:
        parts = (self.folder / f"host_{kind}.pub").read_text().split()
        return f"{parts[0]} {parts[1]}"


def make_keys(folder: Path) -> Keys:
    make_key(folder / "login")
    for kind in HOST_KEY_KINDS:
        make_key(folder / f"host_{kind}", kind)
    return Keys(folder)


@dataclass(frozen=True)
class SshServer:
    """A running sshd."""

    port: int
    keys: Keys
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        return (self.folder / "sshd.log").read_text()

    def build_connection(self, **changes: Any) -> dict[str, Any]:
        """Connection inputs that log in; an entry that is changed to None is left out."""
        inputs = {
            "host": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "privateKey": self.keys.login,
            "hostKey": self.keys.read_host_public("ed25519"),
            "dialErrorLimit": 0,
            "perDialTimeout": 5,
            **changes,
        }
        return {key: item for key, item in inputs.items() if item is not None}


def render_configuration(
    folder: Path, keys: Keys, port: int, host_keys: tuple[str, ...]
) -> list[str]:
    return [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        *(f"HostKey {keys.folder / f'host_{kind}'}" for kind in host_keys),
        f"PidFile {folder / 'sshd.pid'}",
        f"AuthorizedKeysFile {folder / 'authorized_keys'}",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "PermitRootLogin prohibit-password",
        "MaxStartups 200",
        "MaxSessions 200",
        "LogLevel VERBOSE",
    ]


@contextmanager
def run_ssh_server(
    folder: Path,
    keys: Keys,
    *options: str,
    host_keys: tuple[str, ...] = HOST_KEY_KINDS,
) -> Iterator[SshServer]:
    """An sshd that takes the login key and runs commands as the present user."""
    folder.mkdir(parents=True, exist_ok=True)
    port = find_free_port()
    shutil.copy(keys.folder / "login.pub", folder / "authorized_keys")
    config = folder / "sshd_config"
    config.write_text(
        "\n".join([*render_configuration(folder, keys, port, host_keys), *options, ""])
    )
    if os.geteuid() == 0:
        # Debian's sshd, started by root, refuses to run without this folder.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen(
            [find_sshd(), "-D", "-e", "-f", str(config)], stdout=log, stderr=log
        )
        server = SshServer(port, keys, folder, process)
        try:
            wait_until_answering(server)
            yield server
        finally:
            process.terminate()
            process.wait(timeout=10)


def wait_until_answering(server: SshServer, timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        assert server.process.poll() is None, f"sshd ended: {server.log}"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", server.port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"sshd does not answer after {timeout_s} s: {server.log}")


@contextmanager
def open_silent_listener() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield listener.getsockname()[1]


@contextmanager
def run_ssh_agent(folder: Path, key: Path) -> Iterator[str]:
    """An agent that holds one key; its socket path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not path.exists():
            assert time.monotonic() < deadline, "ssh-agent made no socket in 10 s"
            time.sleep(0.02)
        environment = {**os.environ, "SSH_AUTH_SOCK": str(path)}
        subprocess.run(["ssh-add", "-q", str(key)], env=environment, check=True)
        yield str(path)
    finally:
        process.terminate()
        process.wait(timeout=10)
