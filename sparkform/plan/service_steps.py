"""The steps of one service, in order: which there are, on which nodes, and what each wants. Pure.

PREPARATION brings what a rank is started with; `stop_previous` ends what runs; then the ranks start
(natively by a step of theirs), are recorded as a group, are waited for until they are ready, and
are supervised from then on. A new kind of step is one entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Generic, Literal

from node.changes.declared_files import WantedFile, WantedSecret
from node.ranks.capacity import PortDemand
from node.readiness.want import Want as ReadyWant
from node.steps import (
    ObservedT,
    StepSpec,
    WantT,
    group,
    launch_files,
    launch_keys,
    launch_peers,
    member,
    native_guard,
    native_nccl,
    native_venv,
    ready,
    stop_previous,
    supervise,
    supervision_key,
)
from sparkform.config import AnyService, Declaration
from sparkform.launch.paths import get_service_folder, get_unit_name
from sparkform.launch.records import Launch, LaunchFile
from sparkform.plan import native_steps
from sparkform.plan.context import PlanContext
from sparkform.plan.launch_differences import summarize_launch
from sparkform.plan.readiness import build_ready_want
from sparkform.plan.supervision import build_targets
from sparkform.report.unknown import Unknown


@dataclass(frozen=True, kw_only=True)
class ServiceInputs:
    """What a service's steps follow from. `checked` names the runs of the steps that the last stage
    verifies."""

    context: PlanContext
    service: str
    launches: tuple[Launch, ...]
    checked: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def declared(self) -> AnyService:
        """The service as the stack file declares it."""
        return self.context.declaration.services[self.service]


@dataclass(frozen=True)
class ServiceStepKind(Generic[WantT, ObservedT]):
    """One kind of step. `wants`, by node, gets the token of the service's run; those of PREPARATION
    get none. `add_other_nodes` adds what other nodes report to what a node reports. A shared step
    is one for all services of its node."""

    spec: StepSpec[WantT, ObservedT, Any]
    wants: Callable[[ServiceInputs, str], Mapping[str, WantT]]
    add_other_nodes: Callable[[ServiceInputs, ObservedT], ObservedT | Unknown] | None = None
    is_shared: bool = False

    @property
    def kind(self) -> str:
        return self.spec.name

    def get_step_name(self, service: str) -> str:
        """The step's name on a node."""
        return self.kind if self.is_shared else f"{self.kind}:{service}"

    def read_observed(self, inputs: ServiceInputs, node: str) -> ObservedT | Unknown:
        """What the rack reports of the step on a node."""
        step = self.get_step_name(inputs.service)
        observed = inputs.context.read_observed(node, self.spec, step)
        if self.add_other_nodes is None or isinstance(observed, Unknown):
            return observed
        return self.add_other_nodes(inputs, observed)


def get_node_path(launch: Launch, file: LaunchFile) -> str:
    """Where a file of a launch lies on the node: natively where the engine sees it, else in the
    service's folder, from where it is mounted."""
    if launch.runtime == "native":
        return file.path
    return f"{get_service_folder(launch.service)}/files/{PurePosixPath(file.path).name}"


def _plan_launch_keys(inputs: ServiceInputs, token: str) -> dict[str, launch_keys.Want]:
    """A rank has one private key: the head's is a client's, a worker's is its host's."""
    return {
        launch.node: launch_keys.Want(inputs.service, key.source, key.mode)
        for launch in inputs.launches
        for key in launch.keys
        if not key.speaks_for
    }


def _plan_launch_peers(inputs: ServiceInputs, token: str) -> dict[str, launch_peers.Want]:
    return {
        launch.node: launch_peers.Want(
            inputs.service, key.source, key.mode, key.kind, dict(key.speaks_for)
        )
        for launch in inputs.launches
        for key in launch.keys
        if key.speaks_for
    }


def _add_public_keys(
    inputs: ServiceInputs, observed: launch_peers.Observed
) -> launch_peers.Observed | Unknown:
    """By node, as far as they are made."""
    keys = {}
    for node, want in _plan_launch_keys(inputs, "").items():
        pairs = LAUNCH_KEYS.read_observed(inputs, node)
        if isinstance(pairs, Unknown):
            return Unknown(f"{node} {pairs.item}", pairs.reason)
        keys[node] = pairs.keys[want.path].public if want.path in pairs.keys else None
    return launch_peers.add_public_keys(observed, keys)


def _plan_launch_files(inputs: ServiceInputs, token: str) -> dict[str, launch_files.Want]:
    """Swarm carries files by itself. Its secrets it never tells again: a node's copy is what tells
    whether the stack's is another one."""
    wants = {launch.node: _build_files_want(launch) for launch in inputs.launches}
    return {node: want for node, want in wants.items() if want.files or want.secrets}


def _build_files_want(launch: Launch) -> launch_files.Want:
    files = () if launch.runtime == "swarm" else launch.files
    return launch_files.Want(
        launch.service,
        tuple(WantedFile(get_node_path(launch, file), file.mode, file.text) for file in files),
        tuple(WantedSecret(file.secret, file.source, file.mode) for file in launch.secrets),
    )


def _plan_stop_previous(inputs: ServiceInputs, token: str) -> dict[str, stop_previous.Want]:
    """On each node of a rank; for Swarm on the head too, which alone can end Swarm services."""
    ranks = {launch.node: launch for launch in inputs.launches}
    is_swarm = inputs.launches[0].runtime == "swarm"
    nodes = dict.fromkeys([*((inputs.context.declaration.head.name,) if is_swarm else ()), *ranks])
    declaration = inputs.context.declaration
    return {
        node: _build_stop_want(
            inputs.service,
            token,
            ranks.get(node),
            declaration.list_neighbours(inputs.service, node),
            "stay" if inputs.declared.on_failure == "stay" else None,
        )
        for node in nodes
    }


def _build_stop_want(
    service: str,
    token: str,
    launch: Launch | None,
    neighbours: tuple[str, ...],
    on_failure: Literal["stay"] | None,
) -> stop_previous.Want:
    if launch is None:
        return stop_previous.Want(service, token, None, (), None)
    ports = tuple(
        PortDemand(number=port.number, address=port.address, purpose=port.purpose)
        for port in launch.ports
    )
    return stop_previous.Want(
        service,
        token,
        launch.rank,
        ports,
        summarize_launch(launch),
        neighbours or None,
        on_failure,
    )


def _plan_member(inputs: ServiceInputs, token: str) -> dict[str, member.Want]:
    return {
        launch.node: member.Want(
            service=inputs.service,
            token=token,
            rank=launch.rank,
            owner=str(inputs.context.stack),
            unit=get_unit_name(inputs.service),
        )
        for launch in inputs.launches
        if launch.runtime == "native"
    }


def _plan_native(want_type: type[WantT]) -> Callable[[ServiceInputs, str], Mapping[str, WantT]]:
    """The step with such a want, on the nodes that need it."""

    def plan_wants(inputs: ServiceInputs, token: str) -> dict[str, WantT]:
        planned = native_steps.plan_native_wants(
            inputs.context.declaration, inputs.service, inputs.context.reports
        )
        return {
            node: want
            for node, wants in planned.items()
            for want in wants.values()
            if isinstance(want, want_type)
        }

    return plan_wants


def _plan_ready(inputs: ServiceInputs, token: str) -> dict[str, ReadyWant]:
    context, launches = inputs.context, inputs.launches
    want = build_ready_want(
        context.declaration, inputs.service, launches, context.network, token, inputs.checked
    )
    return {launch.node: want for launch in inputs.launches}


def _plan_group(inputs: ServiceInputs, token: str) -> dict[str, group.Want]:
    ranks = tuple(launch.rank for launch in inputs.launches)
    return {inputs.context.declaration.head.name: group.Want(inputs.service, token, ranks)}


def _plan_supervision_key(inputs: ServiceInputs, token: str) -> dict[str, supervision_key.Want]:
    return {inputs.launches[0].node: supervision_key.Want(inputs.service, token)}


def _plan_supervise(inputs: ServiceInputs, token: str) -> dict[str, supervise.Want]:
    context = inputs.context
    targets = build_targets(
        context.declaration, inputs.service, inputs.launches, context.network, token
    )
    return {node: supervise.Want(inputs.service, token, target) for node, target in targets.items()}


AnyKind = ServiceStepKind[Any, Any]
LAUNCH_KEYS = ServiceStepKind(launch_keys.SPEC, _plan_launch_keys)
LAUNCH_PEERS = ServiceStepKind(launch_peers.SPEC, _plan_launch_peers, _add_public_keys)
LAUNCH_FILES = ServiceStepKind(launch_files.SPEC, _plan_launch_files)
GUARD = ServiceStepKind(native_guard.SPEC, _plan_native(native_guard.Want))
PREPARATION: Sequence[AnyKind] = (
    ServiceStepKind(native_venv.SPEC, _plan_native(native_venv.Want), is_shared=True),
    ServiceStepKind(native_nccl.SPEC, _plan_native(native_nccl.Want), is_shared=True),
    GUARD,
    LAUNCH_KEYS,
    LAUNCH_PEERS,
    LAUNCH_FILES,
)
STOP_PREVIOUS = ServiceStepKind(stop_previous.SPEC, _plan_stop_previous)
MEMBER = ServiceStepKind(member.SPEC, _plan_member)
GROUP = ServiceStepKind(group.SPEC, _plan_group)
READY = ServiceStepKind(ready.SPEC, _plan_ready)
SUPERVISION_KEY = ServiceStepKind(supervision_key.SPEC, _plan_supervision_key)
SUPERVISE = ServiceStepKind(supervise.SPEC, _plan_supervise)
QUERIED: Sequence[AnyKind] = (
    GUARD,
    LAUNCH_KEYS,
    LAUNCH_PEERS,
    LAUNCH_FILES,
    STOP_PREVIOUS,
    MEMBER,
    SUPERVISION_KEY,
    SUPERVISE,
)
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


def _list_queried_kinds(declaration: Declaration, service: str, node: str) -> Sequence[AnyKind]:
    has_rank = node in [member.name for member in declaration.list_service_nodes(service)]
    return QUERIED if has_rank else (STOP_PREVIOUS, SUPERVISE)
