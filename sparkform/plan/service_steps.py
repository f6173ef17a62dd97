"""The steps of one service, in order: which there are, on which nodes, and what each wants. Pure.

BEFORE come those that bring what a rank is started with; the slot ends what runs; then the ranks
start (natively by a step of theirs), are recorded as a group, and are waited for until they are
ready. A new kind of step is one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from node.host.plain import mapping
from node.steps.launch_peers import beside_keys
from sparkform.config import Spec
from sparkform.fabric.network import Documents, Network
from sparkform.launch.places import service_folder, unit_name
from sparkform.launch.records import Launch, LaunchFile
from sparkform.plan import native_steps
from sparkform.plan.launch_differences import summary
from sparkform.plan.readiness import ready_want
from sparkform.plan.steps import StackName

Wants = Mapping[str, Mapping[str, Any]]
"""By node."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a service's steps follow from. `checked` are the runs of the steps that a step AFTER
    makes sure of."""

    spec: Spec
    stack: StackName
    network: Network
    documents: Documents
    service: str
    launches: tuple[Launch, ...]
    checked: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        return f"{self.stack.project}/{self.stack.stack}"


@dataclass(frozen=True)
class Row:
    """One kind of step. `wants` gets the token of the service's run; those BEFORE get none.
    `beside` adds what other nodes report to what a node sees. A step `of_node` is one for all that
    the node ever serves."""

    kind: str
    wants: Callable[[Inputs, str], Wants]
    beside: Callable[[Inputs, Mapping[str, Any]], Mapping[str, Any]] | None = None
    of_node: bool = False

    def step(self, service: str) -> str:
        """The step's name on a node."""
        return self.kind if self.of_node else f"{self.kind}:{service}"


def node_path(launch: Launch, file: LaunchFile) -> str:
    """Where a file of a launch lies on the node: natively where the engine sees it, else in the
    service's folder, from where it is mounted."""
    if launch.runtime == "native":
        return file.path
    return f"{service_folder(launch.service)}/files/{PurePosixPath(file.path).name}"


def _launch_keys(inputs: Inputs, token: str) -> Wants:
    """A rank has one private key: the head's is a client's, a worker's is its host's."""
    return {
        one.node: {"service": inputs.service, "path": key.source, "mode": key.mode}
        for one in inputs.launches
        for key in one.keys
        if not key.speaks_for
    }


def _launch_peers(inputs: Inputs, token: str) -> Wants:
    return {
        one.node: {
            "service": inputs.service,
            "path": key.source,
            "mode": key.mode,
            "kind": key.kind,
            "hosts": dict(key.speaks_for),
        }
        for one in inputs.launches
        for key in one.keys
        if key.speaks_for
    }


def _public_keys(inputs: Inputs, seen: Mapping[str, Any]) -> Mapping[str, Any]:
    """By node, as far as they are made."""
    step = LAUNCH_KEYS.step(inputs.service)
    wants = _launch_keys(inputs, "")
    found = {
        node: mapping(mapping(inputs.documents[node].steps.get(step)).get("keys")).get(want["path"])
        for node, want in wants.items()
    }
    return beside_keys(seen, {node: mapping(one).get("public") for node, one in found.items()})


def _launch_files(inputs: Inputs, token: str) -> Wants:
    """Swarm carries files by itself. Its secrets it never tells again: a node's copy is what tells
    whether the stack's is another one."""
    wants = {one.node: _files_want(one) for one in inputs.launches}
    return {node: want for node, want in wants.items() if want["files"] or want["secrets"]}


def _files_want(launch: Launch) -> Mapping[str, Any]:
    files = () if launch.runtime == "swarm" else launch.files
    return {
        "service": launch.service,
        "files": [
            {"path": node_path(launch, one), "mode": one.mode, "text": one.text} for one in files
        ],
        "secrets": [
            {"secret": one.secret, "path": one.source, "mode": one.mode} for one in launch.secrets
        ],
    }


def _slot(inputs: Inputs, token: str) -> Wants:
    """On each node of a rank; for Swarm on the head too, which alone can end Swarm services."""
    ranks = {one.node: one for one in inputs.launches}
    is_swarm = inputs.launches[0].runtime == "swarm"
    nodes = dict.fromkeys([*((inputs.spec.head.name,) if is_swarm else ()), *ranks])
    return {node: _slot_want(inputs.service, token, ranks.get(node)) for node in nodes}


def _slot_want(service: str, token: str, launch: Launch | None) -> Mapping[str, Any]:
    ports = launch.ports if launch else ()
    return {
        "service": service,
        "token": token,
        "rank": launch.rank if launch else None,
        "ports": [
            {"number": port.number, "address": port.address, "purpose": port.purpose}
            for port in ports
        ],
        "launch": summary(launch) if launch else None,
    }


def _member(inputs: Inputs, token: str) -> Wants:
    return {
        one.node: {
            "service": inputs.service,
            "token": token,
            "rank": one.rank,
            "owner": inputs.owner,
            "unit": unit_name(inputs.service),
        }
        for one in inputs.launches
        if one.runtime == "native"
    }


def _native(kind: str) -> Callable[[Inputs, str], Wants]:
    """The step of that kind, on the nodes that need it."""

    def wants(inputs: Inputs, token: str) -> Wants:
        planned = native_steps.native_wants(inputs.spec, inputs.service, inputs.documents)
        found = {node: _of_kind(kind, steps) for node, steps in planned.items()}
        return {node: want for node, want in found.items() if want is not None}

    return wants


def _of_kind(kind: str, steps: Wants) -> Mapping[str, Any] | None:
    return next((want for step, want in steps.items() if step.partition(":")[0] == kind), None)


def _ready(inputs: Inputs, token: str) -> Wants:
    want = ready_want(
        inputs.spec, inputs.service, inputs.launches, inputs.network, token, inputs.checked
    )
    return {one.node: want for one in inputs.launches}


def _group(inputs: Inputs, token: str) -> Wants:
    ranks = [one.rank for one in inputs.launches]
    want = {"service": inputs.service, "token": token, "ranks": ranks}
    return {inputs.spec.head.name: want}


LAUNCH_KEYS = Row("launch_keys", _launch_keys)
LAUNCH_PEERS = Row("launch_peers", _launch_peers, _public_keys)
LAUNCH_FILES = Row("launch_files", _launch_files)
GUARD = Row(native_steps.GUARD, _native(native_steps.GUARD))
BEFORE: Sequence[Row] = (
    Row(native_steps.VENV, _native(native_steps.VENV), of_node=True),
    Row(native_steps.NCCL, _native(native_steps.NCCL), of_node=True),
    GUARD,
    LAUNCH_KEYS,
    LAUNCH_PEERS,
    LAUNCH_FILES,
)
SLOT = Row("slot", _slot)
MEMBER = Row("member", _member)
GROUP = Row("group", _group)
READY = Row("ready", _ready)
ASKED = (GUARD, LAUNCH_KEYS, LAUNCH_PEERS, LAUNCH_FILES, SLOT, MEMBER)
"""Kinds that look at a node on behalf of a service."""


def requests(spec: Spec, node: str) -> dict[str, Mapping[str, object]]:
    """What `observe` is asked on a node, by step: of each service what runs of it there, and more
    where it has a rank."""
    asked = {name: {"service": name, "unit": unit_name(name)} for name in spec.services}
    return {row.step(name): asked[name] for name in asked for row in _rows(spec, name, node)}


def _rows(spec: Spec, service: str, node: str) -> Sequence[Row]:
    return ASKED if node in [one.name for one in spec.service_nodes(service)] else (SLOT,)
