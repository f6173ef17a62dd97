"""What each step of a node should be, from declaration and facts. Pure.

The order of the mapping is the order in which a node's own steps can run; what other nodes must
have done first is said by the components.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface
from typing import Any

from node.host.labels import PREFIX
from node.network.link_config import LinkConfig
from node.steps import docker_daemon, fabric_address, prerequisites, swarm
from sparkform.config import Declaration, EffectiveNode
from sparkform.fabric.network import FabricInterface, Network
from sparkform.report.facts import NodeReport

Want = Mapping[str, Any]
AGENT = "agent"
HOST_STEPS = ("prerequisites", "docker_daemon", "nccl_conf")
FABRIC_STEPS = ("fabric_address", "fabric_confirm")
LABEL = f"{PREFIX}node"
"""Label of a Swarm node: its name in the stack file, which services place their ranks by."""

OWN_MODEL_DIRECTORY_MODE = "0755"

NCCL_CONF: Want = {"NCCL_IB_DISABLE": "0", "NCCL_IB_GID_INDEX": None}
"""RDMA on, and no pinned GID index: an index moves after link events and then hangs."""


@dataclass(frozen=True)
class NodeInputs:
    """One node that is there: as declared and as observed."""

    node: EffectiveNode
    report: NodeReport


def list_node_steps(declaration: Declaration) -> tuple[str, ...]:
    """The names of a node's own steps, which follow from the declaration alone."""
    has_fabric = declaration.cluster.fabric.topology != "none"
    return (AGENT, *HOST_STEPS, *(FABRIC_STEPS if has_fabric else ()))


def plan_node_wants(
    declaration: Declaration, inputs: NodeInputs, fabric: tuple[FabricInterface, ...]
) -> dict[str, Want]:
    """The steps that concern nothing but the node itself."""
    wants: dict[str, Want] = {
        "prerequisites": _build_prerequisites_want(declaration, inputs.node),
        "docker_daemon": docker_daemon.build_want(_find_gpu_uuid(declaration, inputs.report)),
        "nccl_conf": NCCL_CONF,
    }
    if fabric:
        wants["fabric_address"] = _build_fabric_address_want(declaration, fabric)
    return wants


def build_swarm_want(declaration: Declaration, node: EffectiveNode, network: Network) -> Want:
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
) -> Want:
    """`hostnames` by node name: Docker knows nodes by their host names. `runs` by host name."""
    labels = {hostname: {LABEL: name} for name, hostname in hostnames.items()}
    return {"nodes": labels, "away": list(away), "members": dict(runs)}


def _build_prerequisites_want(declaration: Declaration, node: EffectiveNode) -> Want:
    """A directory that the user chose may be a cache or a share of others: its rights stay."""
    is_ours = (
        node.model_directory == type(declaration.cluster).model_fields["model_directory"].default
    )
    return prerequisites.Want(
        user=node.user,
        docker_group=True,
        linger=True,
        memlock="unlimited",
        swap=[] if declaration.cluster.swap_off else None,
        model_directory=node.model_directory,
        model_directory_exists=True,
        model_directory_mode=OWN_MODEL_DIRECTORY_MODE if is_ours else None,
        model_directory_owner=node.user if is_ours else None,
    )


def _find_gpu_uuid(declaration: Declaration, report: NodeReport) -> str | None:
    """The GPU that Swarm places work on; a rack without Swarm offers none."""
    gpus = report.facts.gpu.gpus if report.facts.gpu else ()
    return gpus[0].uuid if gpus and declaration.swarm_enabled else None


def _build_fabric_address_want(
    declaration: Declaration, fabric: tuple[FabricInterface, ...]
) -> Want:
    mtu = None if declaration.fabric_mtu == "inherit" else declaration.fabric_mtu
    link_configs = {
        interface.name: LinkConfig(addresses=[str(interface.planned.address)], mtu=mtu)
        for interface in fabric
    }
    return fabric_address.build_want(link_configs, take_over=True)


def _format_ip(address: IPv4Interface) -> str:
    return str(address.ip)
