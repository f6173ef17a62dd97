"""The gateway's processes, run by the real HAProxy on loopback from the files of a setup."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sparkform.config.gateway import GatewayLimits
from sparkform.gateway.files import build_files
from sparkform.gateway.paths import PROGRAMS, ROUTERS, GatewayFolders
from sparkform.gateway.routes import EngineEndpoint, GatewaySetup, Listen, ModelRoute
from tests.support.waiting import wait_until

HAPROXY = os.environ.get("HAPROXY") or shutil.which("haproxy") or "/usr/sbin/haproxy"
KEYS = {"alice": "sk-alice-0123456789abcdef", "bob": "sk-bob-0123456789abcdef"}
ENGINE_KEY = "sk-engine-canary-0123456789"
START_LIMIT_S = 30.0


def read_haproxy_version() -> tuple[int, int]:
    text = subprocess.run([HAPROXY, "-v"], check=True, capture_output=True, text=True).stdout
    match = re.search(r"version (\d+)\.(\d+)", text)
    assert match is not None, text
    return int(match[1]), int(match[2])


def find_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def build_setup(
    routes: Sequence[ModelRoute], limits: Mapping[str, object] | None = None, is_tls: bool = False
) -> GatewaySetup:
    return GatewaySetup(
        routes=tuple(routes),
        listen=Listen("127.0.0.1", find_free_port()),
        metrics=Listen("127.0.0.1", find_free_port()),
        is_tls=is_tls,
        has_engine_key=True,
        limits=GatewayLimits.model_validate(limits or {}),
    )


def build_route(name: str, served_name: str, *ports: int) -> ModelRoute:
    return ModelRoute(name, served_name, tuple(EngineEndpoint("127.0.0.1", port) for port in ports))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    problem: str = ""

    def load(self) -> dict[str, object]:
        document = json.loads(self.body)
        assert isinstance(document, dict)
        return document


@dataclass
class GatewayProcess:
    """`tls`: what a client trusts, where the gateway speaks TLS."""

    folder: Path
    setup: GatewaySetup
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None

    def write(self, keys: Mapping[str, str] = KEYS) -> None:
        folders = GatewayFolders(str(self.folder), str(self.folder / "run"), user=None)
        for path, text in build_files(self.setup, folders).items():
            self._write(path, text)
        self._write("secrets/keys.map", render_keys(keys))
        self._write("secrets/engine.map", f"engine {ENGINE_KEY}\n")
        (self.folder / "run").mkdir(exist_ok=True)

    def _write(self, path: str, text: str) -> None:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, newline="")

    def start(self) -> None:
        """The routers first, since the edge connects to them."""
        for program in reversed(PROGRAMS):
            command = [HAPROXY, "-W", "-db", "-f", str(self.folder / f"{program}.cfg")]
            with (self.folder / f"{program}.log").open("ab") as log:
                self.processes[program] = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self._is_up, "the gateway does not answer", START_LIMIT_S)

    def _is_up(self) -> bool:
        ended = [name for name, process in self.processes.items() if process.poll() is not None]
        assert not ended, "\n".join((self.folder / f"{name}.log").read_text() for name in ended)
        has_routers = all((self.folder / "run" / f"{name}.sock").exists() for name in ROUTERS)
        try:
            return has_routers and self.ask("GET", "/health", key=None).status == 200
        except OSError:
            return False

    def reload(self) -> None:
        """USR2 to each master, until it has started new workers: one that has only just started
        itself may miss it."""
        for process in self.processes.values():
            old = set(_list_children(process.pid))

            def is_reloaded(pid: int = process.pid, old: set[int] = old) -> bool:
                if set(_list_children(pid)) - old:
                    return True
                os.kill(pid, signal.SIGUSR2)
                return False

            wait_until(is_reloaded, "a master starts no new workers", START_LIMIT_S, pause_s=2.0)

    def stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            process.wait(timeout=30)

    def connect(self, timeout_s: float = 60) -> http.client.HTTPConnection:
        listen = self.setup.listen
        if self.tls is None:
            return http.client.HTTPConnection(listen.address, listen.port, timeout=timeout_s)
        return http.client.HTTPSConnection(
            listen.address, listen.port, timeout=timeout_s, context=self.tls
        )

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        key: str | None = KEYS["alice"],
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = self.connect()
        sent = dict(headers or {}) | ({"Authorization": f"Bearer {key}"} if key else {})
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                # An answer may come before all is sent; clients read it nevertheless.
                connection.request(method, path, data, sent)
            response = connection.getresponse()
            received = {name.lower(): value for name, value in response.getheaders()}
            try:
                return Answer(response.status, received, response.read())
            except http.client.IncompleteRead as error:
                return Answer(response.status, received, error.partial, "incomplete")
        finally:
            connection.close()

    def chat(self, model: str, key: str | None = KEYS["alice"], **fields: object) -> Answer:
        body = {"messages": [{"role": "user", "content": "Hi"}], "model": model} | fields
        return self.ask("POST", "/v1/chat/completions", body, key)

    def read_metric(self, path: str, name: str) -> str:
        metrics = self.setup.metrics
        connection = http.client.HTTPConnection(metrics.address, metrics.port, timeout=30)
        connection.request("GET", path)
        text = connection.getresponse().read().decode()
        connection.close()
        return "\n".join(line for line in text.splitlines() if line.startswith(name))

    def list_workers(self) -> list[int]:
        """The process ids below the masters."""
        pids = [process.pid for process in self.processes.values()]
        return [child for pid in pids for child in _list_children(pid)]

    def measure_memory_mib(self) -> float:
        """What is resident of all its processes."""
        pids = [*self.list_workers(), *(process.pid for process in self.processes.values())]
        return sum(map(_read_resident_kib, pids)) / 1024


def _list_children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def _read_resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def render_keys(keys: Mapping[str, str]) -> str:
    digests = {hashlib.sha256(key.encode()).hexdigest().upper(): name for name, key in keys.items()}
    return "".join(f"{digest} {name}\n" for digest, name in digests.items())


@contextmanager
def run_gateway(
    folder: Path, setup: GatewaySetup, tls: ssl.SSLContext | None = None
) -> Iterator[GatewayProcess]:
    gateway = GatewayProcess(folder, setup, tls=tls)
    gateway.write()
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()


def await_servers(gateway: GatewayProcess, count: int, limit_s: float = 20.0) -> None:
    """Until so many engines are known to be up."""

    def count_up(router: str) -> int:
        lines = gateway.read_metric(f"/{router}/metrics", "haproxy_server_status{").splitlines()
        up = [line for line in lines if 'proxy="model_' in line and 'state="UP"' in line]
        return sum(line.endswith(" 1") for line in up)

    def are_known() -> bool:
        return all(count_up(router) == count for router in ROUTERS)

    wait_until(are_known, f"not {count} engines are up", limit_s)
