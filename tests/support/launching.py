"""Planned launches, carried out by hand on a rack: what the product's own steps do later.

Files, keys and commands are those of the plan, unchanged. What a simulated node cannot give is left
out here: limits above the machine's own (docs/rack.md, "Limits").
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sparkform.config import Declaration, parse_config
from sparkform.fabric.network import Network, plan_network
from sparkform.launch import Launch, plan_launches
from sparkform.plan.targets import list_targets
from sparkform.ssh.observe import observe
from tests.support.deployment import read_cluster_block
from tests.support.rack import RackHandle

READY_LIMIT_S = 400.0
TOKEN = "by-hand-1"
PAUSE_S = 1.0


def list_launches(
    rack: RackHandle, **services: Mapping[str, object]
) -> dict[str, tuple[Launch, ...]]:
    """Planned from what the rack's nodes report now."""
    return dict(plan_observed_rack(rack, **services).launches)


@dataclass(frozen=True)
class PlannedRack:
    """A declaration with its network and launches."""

    declaration: Declaration
    network: Network
    launches: Mapping[str, tuple[Launch, ...]]


def plan_observed_rack(rack: RackHandle, **services: Mapping[str, object]) -> PlannedRack:
    """From what the rack's nodes report now."""
    cluster = {**read_cluster_block(rack), "swarm": {"enabled": False}}
    declaration = parse_config(cluster, services)
    observation = observe(list_targets(declaration))
    assert observation.errors == {}, observation.errors
    network, problems = plan_network(declaration, observation.reports)
    plan = plan_launches(declaration, network, observation.reports)
    assert [*problems, *plan.problems] == [], [
        str(problem) for problem in (*problems, *plan.problems)
    ]
    return PlannedRack(declaration, network, plan.services)


@dataclass(frozen=True)
class StartedService:
    """The ranks of one service that were started by hand."""

    rack: RackHandle
    ranks: Sequence[Launch]

    @property
    def head(self) -> Launch:
        return self.ranks[0]

    def run_as_root(self, launch: Launch, script: str, stdin: str = "") -> str:
        return self.rack.must(launch.node, f"sudo sh -ec {shlex.quote(script)}", stdin)

    def read_log(self, launch: Launch) -> str:
        name = f"sparkform-{launch.service}"
        if launch.runtime == "native":
            return self.run_as_root(launch, f"journalctl -u {name} --no-pager -o cat")
        return self.run_as_root(launch, f"docker logs {name}-{launch.rank} 2>&1")

    def read_logs(self) -> str:
        parts = (f"== {launch.name}\n{self.read_log(launch)[-60000:]}" for launch in self.ranks)
        return "\n".join(parts)

    def request(self, path: str, body: Mapping[str, Any] | None = None, limit_s: float = 60) -> Any:
        """One request at the head's management address; None where nothing answers."""
        node = self.rack.find_node(self.head.node)
        url = f"http://{node.address}:{self.head.ports[0].number}{path}"
        curl = f"curl -sS -m {limit_s} -H 'Content-Type: application/json' {url}"
        script = f"{curl} -d @-" if body is not None else curl
        result = self.rack.ask(self.head.node, script, json.dumps(body or {}), limit_s + 10)
        return json.loads(result.stdout) if result.returncode == 0 and result.stdout else None

    def wait_ready(self) -> float:
        """Seconds until the head lists its model."""
        started = time.monotonic()
        while not (self.request("/v1/models", limit_s=3) or {}).get("data"):
            assert time.monotonic() - started < READY_LIMIT_S, self.read_logs()
            assert self.is_alive(self.head), self.read_logs()
            time.sleep(PAUSE_S)
        return time.monotonic() - started

    def request_chat(self, text: str, tokens: int) -> str:
        message = {"role": "user", "content": text}
        body = {"model": self.head_name, "messages": [message], "max_tokens": tokens}
        answer = self.request("/v1/chat/completions", {**body, "temperature": 0})
        assert answer, self.read_logs()
        assert "choices" in answer, f"{answer}\n{self.read_logs()}"
        content: str = answer["choices"][0]["message"]["content"]
        return content

    @property
    def head_name(self) -> str:
        listed = self.request("/v1/models")
        name: str = listed["data"][0]["id"]
        return name

    def is_alive(self, launch: Launch) -> bool:
        name = f"sparkform-{launch.service}"
        if launch.runtime == "native":
            return self.rack.ask(launch.node, f"systemctl is-active {name}").returncode == 0
        running = f"sudo docker inspect -f '{{{{.State.Running}}}}' {name}-{launch.rank}"
        return self.rack.ask(launch.node, running).stdout.strip() == "true"

    def kill(self, launch: Launch) -> None:
        name = f"sparkform-{launch.service}"
        if launch.runtime == "native":
            self.run_as_root(launch, f"systemctl kill -s KILL {name}")
        else:
            self.run_as_root(launch, f"docker kill {name}-{launch.rank}")


@contextmanager
def start_ranks(rack: RackHandle, ranks: Sequence[Launch]) -> Iterator[StartedService]:
    """All ranks, workers first; gone afterwards with all their files."""
    group = StartedService(rack, ranks)
    try:
        _make_keys(group)
        for launch in reversed(ranks):
            if launch.runtime == "native":
                _start_unit(group, launch)
            else:
                _start_container(group, launch)
        yield group
    finally:
        for launch in ranks:
            _remove(group, launch)


def _get_folder(launch: Launch) -> str:
    return f"/root/launch/{launch.name}"


def _write(group: StartedService, launch: Launch, path: str, text: str, mode: str) -> None:
    group.run_as_root(launch, f"install -D -m {mode} /dev/stdin {path}", text)


def _start_container(group: StartedService, launch: Launch) -> None:
    folder = _get_folder(launch)
    options = [f"--name=sparkform-{launch.service}-{launch.rank}", "--network=host"]
    options += ["--runtime=nvidia", *(["--ipc=host"] if launch.shares_ipc else [])]
    for file in launch.files:
        _write(group, launch, folder + file.path, file.text, file.mode)
        options.append(f"--volume={folder}{file.path}:{file.path}:ro")
    options += [
        f"--volume={mount.source}:{mount.target}{':ro' if mount.read_only else ''}"
        for mount in launch.mounts
        if mount.source
    ]
    options += [f"--device={device}" for device in launch.devices]
    labels = {"service": launch.service, "rank": launch.rank, "token": TOKEN}
    options += [f"--label=sparkform.{name}={value}" for name, value in labels.items()]
    options += [f"--env={name}={value}" for name, value in launch.environment.items()]
    entry, *first = launch.entrypoint
    command = ["docker", "run", "--detach", *options, f"--entrypoint={entry}", launch.image or ""]
    group.run_as_root(launch, shlex.join([*command, *first, *launch.argv]))


def _start_unit(group: StartedService, launch: Launch) -> None:
    for file in launch.files:
        _write(group, launch, file.path, file.text, file.mode)
    group.run_as_root(
        launch, f"systemctl daemon-reload; systemctl start sparkform-{launch.service}"
    )


def _make_keys(group: StartedService) -> None:
    """As docs/design/launches.md says: private halves stay where they are made."""
    public: dict[str, dict[str, str]] = {launch.node: {} for launch in group.ranks}
    for launch in group.ranks:
        for key in launch.keys:
            if key.kind in ("client_key", "host_key"):
                source = key.source
                make = f"mkdir -p -m 0700 $(dirname {source}); rm -f {source} {source}.pub"
                quiet = f"ssh-keygen -q -t ed25519 -N '' -f {source}; cat {source}.pub"
                public[launch.node][key.kind] = group.run_as_root(
                    launch, f"{make}; {quiet}"
                ).strip()
    for launch in group.ranks:
        for key in launch.keys:
            if key.kind == "known_hosts":
                lines = [f"{name} {public[of]['host_key']}" for name, of in key.speaks_for.items()]
                _write(group, launch, key.source, "\n".join(lines) + "\n", key.mode)
            if key.kind == "authorized_keys":
                lines = [public[of]["client_key"] for of in key.speaks_for.values()]
                _write(group, launch, key.source, "\n".join(lines) + "\n", key.mode)


def _remove(group: StartedService, launch: Launch) -> None:
    name = f"sparkform-{launch.service}"
    if launch.runtime == "native":
        group.run_as_root(
            launch, f"systemctl stop {name} || true; systemctl reset-failed {name} || true"
        )
        group.run_as_root(launch, "rm -f " + " ".join(file.path for file in launch.files))
        group.run_as_root(launch, "systemctl daemon-reload")
    else:
        group.run_as_root(launch, f"docker rm --force {name}-{launch.rank} || true")
    group.run_as_root(
        launch, f"rm -rf {_get_folder(launch)} /var/lib/sparkform/services/{launch.service}"
    )
