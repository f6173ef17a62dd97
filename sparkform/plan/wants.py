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
    AnyStep,
    docker_daemon,
    fabric_address,
    fabric_confirm,
    nccl_conf,
    prerequisites,
    swarm,
    swarm_labels,
)
from sparkform.config import Declaration, EffectiveNode
from sparkform.fabric.network import FabricInterface, Network
from sparkform.report.facts import NodeReport

AGENT = "agent"
LABEL = f"{PREFIX}node"
"""Label of a Swarm node: its name in the stack file, which services place their ranks by."""

OWN_MODEL_DIRECTORY_MODE = "0755"


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
    Want). `swarm_facts`: those of the node that the want follows from where there is a Swarm."""

    spec: AnyStep
    build_want: Callable[[NodeInputs], object]
    needs_fabric: bool = False
    swarm_facts: tuple[str, ...] = ()


def list_node_steps(has_fabric: bool) -> tuple[NodeStep, ...]:
    return tuple(step for step in NODE_STEPS if has_fabric or not step.needs_fabric)


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


def _format_ip(address: IPv4Interface) -> str:
    return str(address.ip)


NODE_STEPS = (
    NodeStep(prerequisites.SPEC, _build_prerequisites_want),
    NodeStep(docker_daemon.SPEC, _build_docker_daemon_want, swarm_facts=("gpu",)),
    NodeStep(nccl_conf.SPEC, _build_nccl_conf_want),
    NodeStep(fabric_address.SPEC, _build_fabric_address_want, needs_fabric=True),
    NodeStep(fabric_confirm.SPEC, _build_fabric_confirm_want, needs_fabric=True),
)
