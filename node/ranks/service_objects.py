"""What there is of services on this node: containers, Swarm services and their files, units.

A systemd unit has no labels, so the step that starts it leaves them beside it, in a folder that a
reboot empties, as it stops the unit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from node.host.docker_api import get
from node.host.labels import OWNER, RANK, SERVICE, TOKEN
from node.host.plain import as_list, as_mapping
from node.host.system import System

OF_A_RANK = (SERVICE, RANK, TOKEN, OWNER)
CONTAINER, SWARM_SERVICE, UNIT = "container", "service", "unit"
STORED = {"secret": "/secrets", "config": "/configs"}
MARKS = "/run/sparkform/members"


@dataclass(frozen=True)
class Member:
    """One rank, or one of its files in the Swarm. `id` is what Docker or systemd calls it.

    `made_s`: Unix time at which a rank on this node came into being; 0 for what is in the Swarm.
    """

    kind: str
    id: str
    name: str
    service: str
    rank: str
    token: str
    owner: str
    alive: bool
    made_s: float = 0.0


def of(system: System, service: str) -> list[Member]:
    """The ranks of a service that this node, or on a manager its Swarm, has. Empty where Docker
    does not answer and no unit has a mark."""
    found = [*containers(system), *swarm_services(system), *units(system)]
    return [member for member in found if member.service == service]


def containers(system: System) -> list[Member]:
    found: list[Member] = []
    for one in map(as_mapping, as_list(get(system, "/containers/json?all=1"))):
        name = str(next(iter(as_list(one.get("Names"))), "")).lstrip("/")
        alive, made_s = one.get("State") == "running", float(str(one["Created"]))
        labels = as_mapping(one.get("Labels"))
        found += _labelled(CONTAINER, str(one.get("Id")), name, labels, alive, made_s)
    return found


def swarm_services(system: System) -> list[Member]:
    """Those of the Swarm, on a manager; a worker knows of none."""
    found: list[Member] = []
    for one in map(as_mapping, as_list(get(system, "/services?status=true"))):
        spec, alive = as_mapping(one.get("Spec")), as_mapping(one.get("ServiceStatus"))
        is_alive = bool(alive.get("RunningTasks"))
        found += _of_swarm(SWARM_SERVICE, one.get("ID"), spec, is_alive)
    return found


def stored(system: System) -> list[Member]:
    """The Swarm's secrets and configs, on a manager."""
    found: list[Member] = []
    for kind, path in STORED.items():
        for one in map(as_mapping, as_list(get(system, path))):
            found += _of_swarm(kind, one.get("ID"), as_mapping(one.get("Spec")), False)
    return found


def units(system: System) -> list[Member]:
    found: list[Member] = []
    for name in system.list_names(MARKS):
        labels = _mark(system, name)
        unit = str(labels.get("unit", ""))
        alive = bool(unit) and system.run(["systemctl", "is-active", unit]).out.strip() == "active"
        found += _labelled(UNIT, unit, unit, labels, alive, _marked_s(system, name))
    return found


def mark(system: System, service: str, unit: str, labels: Mapping[str, str]) -> None:
    """Say whose unit of a service this is, before it is started."""
    system.path(MARKS).mkdir(parents=True, exist_ok=True)
    system.write(f"{MARKS}/{service}", json.dumps({"unit": unit, **labels}))


def unmark(system: System, service: str) -> None:
    system.remove(f"{MARKS}/{service}")
    system.remove_directory(MARKS)
    system.remove_directory(MARKS.rpartition("/")[0])


def _of_swarm(kind: str, id: object, spec: Mapping[str, object], alive: bool) -> Iterator[Member]:
    return _labelled(kind, str(id), str(spec.get("Name")), as_mapping(spec.get("Labels")), alive)


def _labelled(
    kind: str, id: str, name: str, labels: Mapping[str, object], alive: bool, made_s: float = 0.0
) -> Iterator[Member]:
    if labels.get(SERVICE):
        service, rank, token, owner = (str(labels.get(one, "")) for one in OF_A_RANK)
        yield Member(kind, id, name, service, rank, token, owner, alive, made_s)


def _marked_s(system: System, name: str) -> float:
    try:
        return system.path(f"{MARKS}/{name}").stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _mark(system: System, name: str) -> Mapping[str, object]:
    try:
        return as_mapping(json.loads(system.read(f"{MARKS}/{name}") or ""))
    except ValueError:
        return {}
