"""The environment of each rank: which network carries what, by names of the rank's own node. Pure.

Bootstrap and control go over the management network in every topology: a ring has no fabric network
that all nodes share, and the fabric is for data. Data go over the RoCE devices that NCCL_IB_HCA
lists, exactly those ("="): NCCL reads a plain list as prefixes, and falls back to sockets silently
where nothing matches (kharkevich-engineering-lab/spark-pulse: docs/cluster-evidence.md 0.7).
NCCL_NET=IB makes it fail instead. No GID index: it moves with link events, and a pinned one then
hangs (tonyd2wild's DeepSeek-v4-Flash repository for two Sparks, issues 38 and 40). Variables by
topology:
NVIDIA/dgx-spark-playbooks@0db7c14, spark_cluster_setup.py;
spark-arena/sparkrun@0041b8f, orchestration/infiniband.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sparkform.config import Service
from sparkform.fabric.topology import Topology
from sparkform.launch.members import ServiceMember


@dataclass(frozen=True)
class Variable:
    """One planned variable. A user may set one that is `overridable`; one that is `own` has another
    value on each node."""

    name: str
    value: str
    overridable: bool = False
    per_node: bool = False


def build_nccl_variables(member: ServiceMember, topology: Topology) -> tuple[Variable, ...]:
    """What NCCL and Gloo need between several nodes.

    The log level is INFO for one reason: only there NCCL says which transport it took.
    """
    return (
        Variable("NCCL_NET", "IB", overridable=True),
        Variable("NCCL_IB_DISABLE", "0", overridable=True),
        Variable("NCCL_IB_HCA", "=" + ",".join(member.hcas), overridable=True, per_node=True),
        Variable("NCCL_SOCKET_IFNAME", member.interface, per_node=True),
        Variable("GLOO_SOCKET_IFNAME", member.interface, per_node=True),
        Variable("NCCL_DEBUG", "INFO", overridable=True),
        Variable("NCCL_DEBUG_SUBSYS", "INIT,NET", overridable=True),
        *(RING_VARIABLES if topology == "ring" else ()),
    )


def build_step_limit(name: str, declared: Service) -> Variable:
    """After how many seconds of one step of all ranks the engine gives itself up.

    Both of vLLM's executors wait 300 s by themselves (vllm-project/vllm pull 18558), less than a
    step of a long prompt may take on a Spark (tests/unit/launch/test_step_limit.py).
    """
    return Variable(name, str(declared.stall_seconds), overridable=True)


# A ring's nodes share a subnet with each neighbour only. Needs NCCL 2.30 (playbook-nccl).
RING_VARIABLES = (
    Variable("NCCL_IB_SUBNET_AWARE_ROUTING", "1", overridable=True),
    Variable("NCCL_NET_PLUGIN", "none", overridable=True),
    Variable("NCCL_IB_MERGE_NICS", "0", overridable=True),
)


def build_mpi_variables(
    member: ServiceMember, members: Sequence[ServiceMember]
) -> tuple[Variable, ...]:
    """What Open MPI and UCX need: control messages over the management network.

    mpirun hands the head's parameters to its daemons, so those of oob (between daemons) list the
    interface names of all members, of which each daemon takes its own. btl (between ranks) does not
    work at all with a name that a node lacks, and each rank reads its own node's.
    """
    interface_names = ",".join(dict.fromkeys(sorted(peer.interface for peer in members)))
    return (
        Variable("UCX_NET_DEVICES", member.interface, overridable=True, per_node=True),
        Variable("OMPI_MCA_btl_tcp_if_include", member.interface, per_node=True),
        Variable("OMPI_MCA_oob_tcp_if_include", interface_names),
        Variable("OMPI_ALLOW_RUN_AS_ROOT", "1"),
        Variable("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
    )


# NVIDIA/dgx-spark-playbooks@0db7c14, nvidia/trt-llm: Triton compiles for sm_121 with CUDA's own
# assembler, as the one that it brings is older than the chip.
COMPILER_VARIABLES = (
    Variable("CPATH", "/usr/local/cuda/include", overridable=True),
    Variable("TRITON_PTXAS_PATH", "/usr/local/cuda/bin/ptxas", overridable=True),
)

# Swarm cannot pass devices; the NVIDIA runtime adds /dev/infiniband when asked this way
# (NVIDIA/nvidia-container-toolkit@d34b3046, internal/modifier/gated.go). Unproven on a Spark.
MOFED_VARIABLES = (Variable("NVIDIA_MOFED", "enabled"),)


def list_per_node_names(variables: Iterable[Variable]) -> frozenset[str]:
    """The names of the variables that may differ from node to node."""
    return frozenset(variable.name for variable in variables if variable.per_node)
