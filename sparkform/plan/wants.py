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
from node.network.link_config import Wish
from node.steps import docker_daemon, fabric_address, host_ready, swarm
from sparkform.config import EffectiveNode, Spec
from sparkform.fabric.network import FabricInterface, Network
from sparkform.report.facts import NodeDocument

Want = Mapping[str, Any]
ANCHOR = "anchor"
HOST_STEPS = ("host_ready", "docker_daemon", "nccl_conf")
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
    document: NodeDocument


def own_steps(spec: Spec) -> tuple[str, ...]:
    """The names of a node's own steps, which follow from the declaration alone."""
    has_fabric = spec.cluster.fabric.topology != "none"
    return (ANCHOR, *HOST_STEPS, *(FABRIC_STEPS if has_fabric else ()))


def own_wants(
    spec: Spec, inputs: NodeInputs, fabric: tuple[FabricInterface, ...]
) -> dict[str, Want]:
    """The steps that concern nothing but the node itself."""
    wants: dict[str, Want] = {
        "host_ready": _host_ready(spec, inputs.node),
        "docker_daemon": docker_daemon.wanted(_gpu_uuid(spec, inputs.document)),
        "nccl_conf": NCCL_CONF,
    }
    if fabric:
        wants["fabric_address"] = _fabric_address(spec, fabric)
    return wants


def swarm_want(spec: Spec, node: EffectiveNode, network: Network) -> Want:
    """Start the Swarm on the head, join it elsewhere, by management address."""
    take_over = spec.cluster.swarm.take_over
    own = _ip(network.management[node.name])
    if node.is_head:
        return swarm.wanted_head(own, spec.cluster.swarm.address_pool, take_over)
    return swarm.wanted_worker(own, _ip(network.management[spec.head.name]), take_over)


def labels_want(hostnames: Mapping[str, str], away: Sequence[str], runs: Mapping[str, int]) -> Want:
    """`hostnames` by node name: Docker knows nodes by their host names. `runs` by host name."""
    labels = {hostname: {LABEL: name} for name, hostname in hostnames.items()}
    return {"nodes": labels, "away": list(away), "members": dict(runs)}


def _host_ready(spec: Spec, node: EffectiveNode) -> Want:
    """A directory that the user chose may be a cache or a share of others: its rights stay."""
    is_ours = node.model_directory == type(spec.cluster).model_fields["model_directory"].default
    return host_ready.Want(
        user=node.user,
        docker_group=True,
        linger=True,
        memlock="unlimited",
        swap=[] if spec.cluster.swap_off else None,
        model_directory=node.model_directory,
        model_directory_exists=True,
        model_directory_mode=OWN_MODEL_DIRECTORY_MODE if is_ours else None,
        model_directory_owner=node.user if is_ours else None,
    )


def _gpu_uuid(spec: Spec, document: NodeDocument) -> str | None:
    """The GPU that Swarm places work on; a rack without Swarm offers none."""
    gpus = document.facts.gpu.gpus if document.facts.gpu else ()
    return gpus[0].uuid if gpus and spec.swarm_enabled else None


def _fabric_address(spec: Spec, fabric: tuple[FabricInterface, ...]) -> Want:
    mtu = None if spec.fabric_mtu == "inherit" else spec.fabric_mtu
    wishes = {one.name: Wish(addresses=[str(one.planned.address)], mtu=mtu) for one in fabric}
    return fabric_address.wanted(wishes, take_over=True)


def _ip(address: IPv4Interface) -> str:
    return str(address.ip)
