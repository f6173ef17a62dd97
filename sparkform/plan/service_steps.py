"""The steps of one service, in order: which there are, on which nodes, and what each wants. Pure.

PREPARATION brings what a rank is started with; `stop_previous` ends what runs; then the ranks start
(natively by a step of theirs), are recorded as a group, and are waited for until they are ready. A
new kind of step is one entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from node.host.plain import as_mapping
from node.steps.launch_peers import add_public_keys
from sparkform.config import AnyService, Declaration
from sparkform.launch.paths import get_service_folder, get_unit_name
from sparkform.launch.records import Launch, LaunchFile
from sparkform.plan import native_steps, service_state
from sparkform.plan.context import PlanContext
from sparkform.plan.launch_differences import summarize_launch
from sparkform.plan.readiness import build_ready_want
from sparkform.report.receipts import Json

Wants = Mapping[str, Json]
"""By node."""


@dataclass(frozen=True, kw_only=True)
class ServiceInputs:
    """What a service's steps follow from. `checked` names the runs of the steps that the last stage
    verifies."""

    context: PlanContext
    service: str
    launches: tuple[Launch, ...]
    checked: Mapping[str, Json] = field(default_factory=dict)

    @property
    def declared(self) -> AnyService:
        """The service as the stack file declares it."""
        return self.context.declaration.services[self.service]


@dataclass(frozen=True)
class ServiceStepKind:
    """One kind of step. `wants` gets the token of the service's run; those of PREPARATION get none.
    `add_other_nodes` adds what other nodes report to what a node reports. A shared step is one for
    all services of its node."""

    kind: str
    wants: Callable[[ServiceInputs, str], Wants]
    add_other_nodes: Callable[[ServiceInputs, Json], Json] | None = None
    is_shared: bool = False

    def get_step_name(self, service: str) -> str:
        """The step's name on a node."""
        return self.kind if self.is_shared else f"{self.kind}:{service}"

    def get_state(self, inputs: ServiceInputs, node: str) -> Json:
        """What the rack reports of the step on a node."""
        state = inputs.context.get_state(node, self.get_step_name(inputs.service))
        return self.add_other_nodes(inputs, state) if self.add_other_nodes else state


def get_node_path(launch: Launch, file: LaunchFile) -> str:
    """Where a file of a launch lies on the node: natively where the engine sees it, else in the
    service's folder, from where it is mounted."""
    if launch.runtime == "native":
        return file.path
    return f"{get_service_folder(launch.service)}/files/{PurePosixPath(file.path).name}"


def _plan_launch_keys(inputs: ServiceInputs, token: str) -> Wants:
    """A rank has one private key: the head's is a client's, a worker's is its host's."""
    return {
        launch.node: {"service": inputs.service, "path": key.source, "mode": key.mode}
        for launch in inputs.launches
        for key in launch.keys
        if not key.speaks_for
    }


def _plan_launch_peers(inputs: ServiceInputs, token: str) -> Wants:
    return {
        launch.node: {
            "service": inputs.service,
            "path": key.source,
            "mode": key.mode,
            "kind": key.kind,
            "hosts": dict(key.speaks_for),
        }
        for launch in inputs.launches
        for key in launch.keys
        if key.speaks_for
    }


def _add_public_keys(inputs: ServiceInputs, state: Json) -> Json:
    """By node, as far as they are made."""
    step, public_keys = LAUNCH_KEYS.get_step_name(inputs.service), {}
    for node, want in _plan_launch_keys(inputs, "").items():
        keys = as_mapping(inputs.context.get_state(node, step).get("keys"))
        public_keys[node] = as_mapping(keys.get(str(want["path"]))).get("public")
    return add_public_keys(state, public_keys)


def _plan_launch_files(inputs: ServiceInputs, token: str) -> Wants:
    """Swarm carries files by itself. Its secrets it never tells again: a node's copy is what tells
    whether the stack's is another one."""
    wants = {launch.node: _build_files_want(launch) for launch in inputs.launches}
    return {node: want for node, want in wants.items() if want["files"] or want["secrets"]}


def _build_files_want(launch: Launch) -> Json:
    files = () if launch.runtime == "swarm" else launch.files
    return {
        "service": launch.service,
        "files": [
            {"path": get_node_path(launch, file), "mode": file.mode, "text": file.text}
            for file in files
        ],
        "secrets": [
            {"secret": file.secret, "path": file.source, "mode": file.mode}
            for file in launch.secrets
        ],
    }


def _plan_stop_previous(inputs: ServiceInputs, token: str) -> Wants:
    """On each node of a rank; for Swarm on the head too, which alone can end Swarm services."""
    ranks = {launch.node: launch for launch in inputs.launches}
    is_swarm = inputs.launches[0].runtime == "swarm"
    nodes = dict.fromkeys([*((inputs.context.declaration.head.name,) if is_swarm else ()), *ranks])
    return {node: _build_stop_want(inputs.service, token, ranks.get(node)) for node in nodes}


def _build_stop_want(service: str, token: str, launch: Launch | None) -> Json:
    ports = launch.ports if launch else ()
    return {
        "service": service,
        "token": token,
        "rank": launch.rank if launch else None,
        "ports": [
            {"number": port.number, "address": port.address, "purpose": port.purpose}
            for port in ports
        ],
        "launch": summarize_launch(launch) if launch else None,
    }


def _plan_member(inputs: ServiceInputs, token: str) -> Wants:
    return {
        launch.node: {
            "service": inputs.service,
            "token": token,
            "rank": launch.rank,
            "owner": str(inputs.context.stack),
            "unit": get_unit_name(inputs.service),
        }
        for launch in inputs.launches
        if launch.runtime == "native"
    }


def _plan_native(kind: str) -> Callable[[ServiceInputs, str], Wants]:
    """The step of that kind, on the nodes that need it."""

    def plan_wants(inputs: ServiceInputs, token: str) -> Wants:
        planned = native_steps.plan_native_wants(
            inputs.context.declaration, inputs.service, inputs.context.reports
        )
        native_wants = {node: _find_kind(kind, steps) for node, steps in planned.items()}
        return {node: want for node, want in native_wants.items() if want is not None}

    return plan_wants


def _find_kind(kind: str, steps: Wants) -> Json | None:
    return next((want for step, want in steps.items() if step.partition(":")[0] == kind), None)


def _plan_ready(inputs: ServiceInputs, token: str) -> Wants:
    context, launches = inputs.context, inputs.launches
    want = build_ready_want(
        context.declaration, inputs.service, launches, context.network, token, inputs.checked
    )
    return {launch.node: want for launch in inputs.launches}


def _plan_group(inputs: ServiceInputs, token: str) -> Wants:
    ranks = [launch.rank for launch in inputs.launches]
    want = {"service": inputs.service, "token": token, "ranks": ranks}
    return {inputs.context.declaration.head.name: want}


LAUNCH_KEYS = ServiceStepKind("launch_keys", _plan_launch_keys)
LAUNCH_PEERS = ServiceStepKind("launch_peers", _plan_launch_peers, _add_public_keys)
LAUNCH_FILES = ServiceStepKind("launch_files", _plan_launch_files)
GUARD = ServiceStepKind(native_steps.GUARD, _plan_native(native_steps.GUARD))
PREPARATION: Sequence[ServiceStepKind] = (
    ServiceStepKind(native_steps.VENV, _plan_native(native_steps.VENV), is_shared=True),
    ServiceStepKind(native_steps.NCCL, _plan_native(native_steps.NCCL), is_shared=True),
    GUARD,
    LAUNCH_KEYS,
    LAUNCH_PEERS,
    LAUNCH_FILES,
)
STOP_PREVIOUS = ServiceStepKind(service_state.STOP_PREVIOUS, _plan_stop_previous)
MEMBER = ServiceStepKind("member", _plan_member)
GROUP = ServiceStepKind(service_state.GROUP, _plan_group)
READY = ServiceStepKind("ready", _plan_ready)
QUERIED = (GUARD, LAUNCH_KEYS, LAUNCH_PEERS, LAUNCH_FILES, STOP_PREVIOUS, MEMBER)
"""Kinds that look at a node on behalf of a service."""


def list_requests(declaration: Declaration, node: str) -> dict[str, Mapping[str, object]]:
    """What `observe` is asked on a node, by step: of each service what runs of it there, and more
    where it has a rank."""
    requests_by_service = {
        name: {"service": name, "unit": get_unit_name(name)} for name in declaration.services
    }
    return {
        kind.get_step_name(name): requests_by_service[name]
        for name in requests_by_service
        for kind in _list_queried_kinds(declaration, name, node)
    }


def _list_queried_kinds(
    declaration: Declaration, service: str, node: str
) -> Sequence[ServiceStepKind]:
    has_rank = node in [member.name for member in declaration.list_service_nodes(service)]
    return QUERIED if has_rank else (STOP_PREVIOUS,)
