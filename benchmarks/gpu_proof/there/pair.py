"""Two planned ranks on one machine with two GPUs: what must differ from two Sparks.

Each rank has a GPU and an address of the loopback interface of its own. Over NVLink, NCCL takes
both for one host; over sockets each says that it is another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from benchmarks.gpu_proof.there.launches import ProofLaunch

Network = Literal["nvlink", "sockets"]
NETWORKS: tuple[Network, ...] = ("nvlink", "sockets")
HEAD = "127.0.0.1"
RDMA_VARIABLES = ("NCCL_NET", "NCCL_IB_HCA")
INTERFACE_VARIABLES = ("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME")


def place_pair(launches: Sequence[ProofLaunch], network: Network) -> tuple[ProofLaunch, ...]:
    return tuple(place_rank(launch, rank, network) for rank, launch in enumerate(launches))


def place_rank(launch: ProofLaunch, rank: int, network: Network) -> ProofLaunch:
    launch = replace(launch, shape=f"{launch.shape}-{network}")
    launch = launch.set_option("--master-addr", HEAD)
    launch = launch.set_variable("VLLM_HOST_IP", f"127.0.0.{rank + 1}")
    launch = launch.set_variable("CUDA_VISIBLE_DEVICES", str(rank))
    for name in INTERFACE_VARIABLES:
        launch = launch.set_variable(name, "lo")
    for name in RDMA_VARIABLES:
        launch = launch.drop_variable(name)
    if network == "sockets":
        launch = launch.set_variable("NCCL_NET", "Socket")
        launch = launch.set_variable("NCCL_HOSTID", f"gpu-{rank + 1}")
    return launch
