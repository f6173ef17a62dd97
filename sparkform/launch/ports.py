"""The ports that a service opens for itself on its nodes, beside its API's. Pure.

Services that share a node have different ones: each takes the first number that no earlier one of
the stack file has there.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from node.host.paths import TRANSFER_PORT
from sparkform.config import Declaration

LAUNCH_SSH_PORT = 2233
"""As in NVIDIA's playbook (trtllm-mn-entrypoint.sh)."""


FIRST_SUPERVISOR_PORT = TRANSFER_PORT + 1

MASTER_PORT = 29501
"""vLLM's own default (vllm/config/parallel.py)."""

DATA_PARALLEL_PORT = 29550
"""vLLM's own default of --data-parallel-rpc-port."""


@dataclass(frozen=True, kw_only=True)
class ServicePorts:
    """`launch_ssh`: where the workers of TensorRT-LLM wait for mpirun. `supervisor`: where the
    supervisor of each node answers that of rank 0's, and before it the watch of a start. `master`,
    `data_parallel`: where vLLM's ranks, and its copies, meet."""

    launch_ssh: int
    supervisor: int
    master: int
    data_parallel: int


def plan_ports(declaration: Declaration, service: str) -> ServicePorts:
    """Raises KeyError where no such service is declared."""
    places: dict[str, int] = {}
    for name in declaration.services:
        taken = {place for other, place in places.items() if _share_node(declaration, name, other)}
        places[name] = next(place for place in count() if place not in taken)
    place = places[service]
    return ServicePorts(
        launch_ssh=LAUNCH_SSH_PORT + place,
        supervisor=FIRST_SUPERVISOR_PORT + place,
        master=MASTER_PORT + place,
        data_parallel=DATA_PARALLEL_PORT + place,
    )


def _share_node(declaration: Declaration, first_service: str, second_service: str) -> bool:
    first_nodes = set(declaration.list_service_nodes(first_service))
    return not first_nodes.isdisjoint(declaration.list_service_nodes(second_service))
