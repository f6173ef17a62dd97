"""A fake dockerd that has containers, Swarm services and their files, and a systemd with units."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from node.host.system import CommandResult, HttpAnswer
from tests.support.fake_spark import FakeSpark
from tests.support.fake_system import SUCCESS

MEMORY = "MemTotal: 1000 kB\nMemAvailable: 900 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n"
SSH = 'tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1,fd=3))\n'
MADE_S = 1_763_712_000
NOT_FOUND = HttpAnswer(404, {"message": "no such thing"})


def build_labels(service: str = "qwen", token: str = "today-1", rank: int = 0) -> dict[str, str]:
    values = {"service": service, "rank": str(rank), "token": token, "owner": "spark/demo"}
    return {f"sparkform.{key}": value for key, value in values.items()}


@dataclass
class FakeRanks:
    """What there is of services, by id; `stores` holds secrets and configs by kind."""

    spark: FakeSpark
    containers: dict[str, dict[str, Any]] = field(default_factory=dict)
    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    stores: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {"secrets": {}, "configs": {}}
    )
    units: dict[str, str] = field(default_factory=dict)
    sockets: str = SSH
    stopped: list[str] = field(default_factory=list)

    def add_container(self, id: str, state: str = "running", **named: Any) -> None:
        """One that somebody started, with our labels."""
        self.containers[id] = {
            "Id": id,
            "Names": [f"/{id}"],
            "State": state,
            "Created": MADE_S,
            "Labels": build_labels(**named),
        }

    def add_service(self, id: str, running: int = 1, **named: Any) -> None:
        spec = {"Name": id, "Labels": build_labels(**named)}
        self.services[id] = {"ID": id, "Spec": spec, "ServiceStatus": {"RunningTasks": running}}
        for kind in self.stores:
            name = f"{id}-{kind}"
            spec = {"Name": name, "Labels": build_labels(**named)}
            self.stores[kind][name] = {"ID": name, "Spec": spec}

    def read_state(self) -> object:
        return [self.containers, self.services, self.stores, self.units]

    def answer(self, method: str, path: str, body: object) -> HttpAnswer:
        """GET lists, POST stops, DELETE removes."""
        kind, _, path_rest = path.partition("?")[0].lstrip("/").partition("/")
        shelf = {"containers": self.containers, "services": self.services, **self.stores}[kind]
        id = path_rest.partition("/")[0]
        if method == "POST" and id == "create":
            return self._create_container(path.partition("name=")[2], body)
        if method == "GET" and id in ("", "json"):
            return HttpAnswer(200, _filter_by_label(path, shelf))
        if id not in shelf:
            return NOT_FOUND
        if method == "GET":
            return HttpAnswer(200, _describe_container(shelf[id]))
        if method == "DELETE":
            del shelf[id]
            return HttpAnswer(204, None)
        shelf[id]["State"] = "exited"
        self.stopped.append(id)
        return HttpAnswer(204, None)

    def _create_container(self, name: str, body: object) -> HttpAnswer:
        """Made, and not started. A name that is taken is a conflict, as in Docker."""
        if f"/{name}" in [made["Names"][0] for made in self.containers.values()]:
            return HttpAnswer(409, {"message": f"The name {name} is already in use"})
        assert isinstance(body, dict)
        id = f"made-{len(self.containers)}-{name}"
        self.containers[id] = {
            **{"Id": id, "Names": [f"/{name}"], "State": "created", "Created": MADE_S},
            **{"Labels": body["Labels"], "Body": body},
        }
        return HttpAnswer(201, {"Id": id})

    def silence(self) -> None:
        """dockerd does not answer any more."""
        requests = self.spark.system.script.requests
        requests |= dict.fromkeys(requests, lambda *arguments: HttpAnswer(0, "refused"))

    def list_tasks(self, method: str, path: str, body: object) -> HttpAnswer:
        """One of each service."""
        states = {
            id: "running" if service["ServiceStatus"]["RunningTasks"] else "preparing"
            for id, service in self.services.items()
        }
        tasks = [
            {"ServiceID": id, "CreatedAt": "1", "Status": {"State": state}}
            for id, state in states.items()
        ]
        return HttpAnswer(200, tasks)

    def run_systemctl(self, argv: list[str], stdin: str) -> CommandResult:
        verb, unit = argv[1], argv[-1]
        if verb == "show":
            state = self.units.get(unit, "inactive")
            run = "1f0c" if unit in self.units else ""
            lines = ("LoadState=loaded", f"ActiveState={state}", f"InvocationID={run}")
            return CommandResult(0, "\n".join(lines), "")
        if verb == "is-active":
            return SUCCESS if self.units.get(unit) == "active" else CommandResult(3, "", "")
        if verb in ("start", "restart") and unit.startswith("sparkform-"):
            self.units[unit] = "active"
        if verb == "stop":
            self.units.pop(unit, None)
            self.stopped.append(unit)
        return SUCCESS


def add_ranks(spark: FakeSpark) -> FakeRanks:
    """The machine with such a dockerd and systemd."""
    fake_ranks = FakeRanks(spark)
    script = spark.system.script
    listed = ("/containers/json", "/services", "/secrets", "/configs")
    script.requests |= {("GET", path): fake_ranks.answer for path in listed}
    script.requests[("GET", "/tasks")] = fake_ranks.list_tasks
    script.requests[("*", "*")] = fake_ranks.answer
    verbs = ("show", "start", "stop", "restart", "is-active", "reset-failed", "daemon-reload")
    for verb in verbs:
        script.commands[("systemctl", verb)] = fake_ranks.run_systemctl
    script.commands[("ss",)] = lambda argv, stdin: CommandResult(0, fake_ranks.sockets, "")
    script.commands[("ssh-keygen",)] = lambda argv, stdin: _run_keygen(spark, argv)
    spark.system.put("/proc/meminfo", MEMORY)
    spark.extra_states.append(lambda: json.dumps(fake_ranks.read_state(), sort_keys=True))
    return fake_ranks


def _filter_by_label(path: str, shelf: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """As Docker: what has every label that the query names, with its value where it gives one."""
    query = parse_qs(path.partition("?")[2])
    wanted = json.loads(query.get("filters", ["{}"])[0]).get("label", [])

    def matches(entry: dict[str, Any]) -> bool:
        owned = entry.get("Labels") or entry["Spec"]["Labels"]
        pairs = {*owned, *(f"{name}={value}" for name, value in owned.items())}
        return set(wanted) <= pairs

    return [entry for entry in shelf.values() if matches(entry)]


def _describe_container(entry: dict[str, Any]) -> dict[str, Any]:
    """As GET /containers/ID/json gives what GET /containers/json lists."""
    started_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry["Created"]))
    return {
        "Id": entry["Id"],
        "Name": entry["Names"][0],
        "State": {"Status": entry["State"], "StartedAt": started_at, "ExitCode": 0},
        "Config": {"Labels": entry["Labels"], "Image": "vllm:today", "Cmd": ["serve"]},
        "Image": f"sha256:{entry['Id']}",
        "HostConfig": {"Runtime": "nvidia", "NetworkMode": "host"},
    }


def _run_keygen(spark: FakeSpark, argv: list[str]) -> CommandResult:
    path = argv[argv.index("-f") + 1]
    spark.system.put(path, "PRIVATE", 0o600)
    spark.system.put(f"{path}.pub", f"ssh-ed25519 AAAA{len(spark.system.script.calls)} comment\n")
    return SUCCESS
