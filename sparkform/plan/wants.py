"""What each step of a node should be, from declaration and facts. Pure.

The order of NODE_STEPS is the order in which a node's own steps can run; what other nodes must have
done first is said by the components. A further step of every node is a row there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface

from node.host.labels import PREFIX
from node.network.link_config import LinkConfig
from node.steps import (
    DECLARED,
    AnyStep,
    docker_daemon,
    earlyoom,
    fabric_address,
    fabric_confirm,
    gpu_clock,
    nccl_conf,
    package_hold,
    page_cache,
    prerequisites,
    swarm,
    swarm_labels,
)
from sparkform.config import Declaration, EffectiveNode
from sparkform.fabric.network import FabricInterface, Network
from sparkform.report.facts import NodeReport
from sparkform.report.unknown import Unknown

AGENT = "agent"
LABEL = f"{PREFIX}node"
"""Label of a Swarm node: its name in the stack file, which services place their ranks by."""

OWN_MODEL_DIRECTORY_MODE = "0755"
KIB_PER_GIB = 1024**2


@dataclass(frozen=True)
class NodeInputs:
    """One node that is there: as declared and as observed. `runs`: of the steps before, by name."""

    declaration: Declaration
    node: EffectiveNode
    report: NodeReport
    fabric: tuple[FabricInterface, ...]
    runs: Mapping[str, int]


@dataclass(frozen=True)
class NodeStep:
    """A step that concerns nothing but the node itself, and what it wants there (the step's own
    Want). `swarm_facts`: those of the node that the want follows from where there is a Swarm;
    `follows_network`: whether it follows from the node's interfaces.
    `is_declared`: whether the stack file asks for it; None for a step of every node."""

    spec: AnyStep
    build_want: Callable[[NodeInputs], object]
    needs_fabric: bool = False
    follows_network: bool = False
    swarm_facts: tuple[str, ...] = ()
    is_declared: Callable[[EffectiveNode], bool] | None = None


def list_node_steps(node: EffectiveNode, has_fabric: bool) -> tuple[NodeStep, ...]:
    return tuple(
        step
        for step in NODE_STEPS
        if (has_fabric or not step.needs_fabric)
        and (step.is_declared is None or step.is_declared(node))
    )


def list_declared_requests(node: EffectiveNode) -> dict[str, Mapping[str, object]]:
    """What `observe` is asked for beyond what every node reports, by step."""
    steps = list_node_steps(node, has_fabric=True)
    return {step.spec.name: {DECLARED: True} for step in steps if step.is_declared}


def build_swarm_want(declaration: Declaration, node: EffectiveNode, network: Network) -> swarm.Want:
    """Start the Swarm on the head, join it elsewhere, by management address."""
    take_over = declaration.cluster.swarm.take_over
    address = _format_ip(network.management[node.name])
    if node.is_head:
        return swarm.build_head_want(address, declaration.cluster.swarm.address_pool, take_over)
    return swarm.build_worker_want(
        address, _format_ip(network.management[declaration.head.name]), take_over
    )


def build_labels_want(
    hostnames: Mapping[str, str], away: Sequence[str], runs: Mapping[str, int]
) -> swarm_labels.Want:
    """`hostnames` by node name: Docker knows nodes by their host names. `runs` by host name."""
    labels = {hostname: {LABEL: name} for name, hostname in hostnames.items()}
    return swarm_labels.Want(labels, tuple(away), dict(runs))


def _build_prerequisites_want(inputs: NodeInputs) -> prerequisites.Want:
    """A directory that the user chose may be a cache or a share of others: its rights stay."""
    node, cluster = inputs.node, inputs.declaration.cluster
    is_ours = node.model_directory == type(cluster).model_fields["model_directory"].default
    return prerequisites.Want(
        user=node.user,
        docker_group=True,
        linger=True,
        memlock="unlimited",
        swap=() if cluster.swap_off else None,
        model_directory=node.model_directory,
        model_directory_exists=True,
        model_directory_mode=OWN_MODEL_DIRECTORY_MODE if is_ours else None,
        model_directory_owner=node.user if is_ours else None,
    )


def _build_docker_daemon_want(inputs: NodeInputs) -> docker_daemon.Want:
    """Swarm places work on the node's GPU; a rack without Swarm offers none."""
    gpus = inputs.report.facts.gpu.gpus if inputs.report.facts.gpu else ()
    is_offered = bool(gpus) and inputs.declaration.swarm_enabled
    return docker_daemon.build_want(gpus[0].uuid if is_offered else None)


def _build_nccl_conf_want(inputs: NodeInputs) -> nccl_conf.Want:
    """RDMA on, and no pinned GID index: an index moves after link events and then hangs."""
    return nccl_conf.Want(ib_disable="0", ib_gid_index=None)


def _build_fabric_address_want(inputs: NodeInputs) -> fabric_address.Want:
    declared_mtu = inputs.declaration.fabric_mtu
    mtu = None if declared_mtu == "inherit" else declared_mtu
    link_configs = {
        interface.name: LinkConfig(addresses=[str(interface.planned.address)], mtu=mtu)
        for interface in inputs.fabric
    }
    return fabric_address.build_want(link_configs, take_over=True)


def _build_fabric_confirm_want(inputs: NodeInputs) -> fabric_confirm.Want:
    return fabric_confirm.Want(inputs.runs[fabric_address.SPEC.name])


def _build_gpu_clock_want(inputs: NodeInputs) -> gpu_clock.Want:
    return gpu_clock.Want(inputs.node.host_settings.gpu_clock_mhz)


def _build_page_cache_want(inputs: NodeInputs) -> page_cache.Want:
    guard = inputs.node.host_settings.memory_guard
    return page_cache.Want(_convert_to_kib(guard.min_free_gib) if guard else None)


def _build_earlyoom_want(inputs: NodeInputs) -> earlyoom.Want:
    guard = inputs.node.host_settings.memory_guard
    return earlyoom.Want(_convert_to_kib(guard.min_available_gib) if guard else None)


def _convert_to_kib(gib: float) -> int:
    return round(gib * KIB_PER_GIB)


def _build_package_hold_want(inputs: NodeInputs) -> package_hold.Want:
    """What is there now, so that what is installed later is held, too."""
    spec = package_hold.SPEC
    state = inputs.report.read_step(spec.name)
    observed = spec.read_observed(None if isinstance(state, Unknown) else state)
    return package_hold.build_want(inputs.node.host_settings.hold or (), observed)


def _limits_gpu_clock(node: EffectiveNode) -> bool:
    return node.host_settings.gpu_clock_mhz is not None


def _guards_memory(node: EffectiveNode) -> bool:
    return node.host_settings.memory_guard is not None


def _runs_earlyoom(node: EffectiveNode) -> bool:
    guard = node.host_settings.memory_guard
    return guard is not None and guard.earlyoom


def _holds_packages(node: EffectiveNode) -> bool:
    return bool(node.host_settings.hold)


def _format_ip(address: IPv4Interface) -> str:
    return str(address.ip)


NODE_STEPS = (
    NodeStep(prerequisites.SPEC, _build_prerequisites_want),
    NodeStep(docker_daemon.SPEC, _build_docker_daemon_want, swarm_facts=("gpu",)),
    NodeStep(nccl_conf.SPEC, _build_nccl_conf_want),
    NodeStep(
        fabric_address.SPEC, _build_fabric_address_want, needs_fabric=True, follows_network=True
    ),
    NodeStep(fabric_confirm.SPEC, _build_fabric_confirm_want, needs_fabric=True),
    NodeStep(gpu_clock.SPEC, _build_gpu_clock_want, is_declared=_limits_gpu_clock),
    NodeStep(page_cache.SPEC, _build_page_cache_want, is_declared=_guards_memory),
    NodeStep(earlyoom.SPEC, _build_earlyoom_want, is_declared=_runs_earlyoom),
    NodeStep(package_hold.SPEC, _build_package_hold_want, is_declared=_holds_packages),
)
