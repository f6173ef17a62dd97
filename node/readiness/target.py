"""The service that the step `ready` waits for."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from node.errors import StepError
from node.host.addresses import is_loopback
from node.readiness.probe import Task
from node.readiness.want import Want, WantedRank


@dataclass(frozen=True)
class RankEndpoint:
    """One rank: its node, and the address at which the other nodes reach that node."""

    rank: int
    node: str
    name: str
    address: str


@dataclass(frozen=True)
class WatchTarget:
    """A service and its ranks. `local_rank` is that of this node.

    `url` is the API's public address without a path. `watch_port`: where the watches of the workers
    listen. `key_file` holds the API's key, on the node of rank 0 only. `over_rdma`: several ranks
    that are to talk over RDMA.
    """

    service: str
    token: str
    engine: str
    runtime: str
    ranks: tuple[RankEndpoint, ...]
    local_rank: RankEndpoint
    url: str
    watch_port: int
    served_name: str
    ready_timeout_s: float
    silence_timeout_s: float
    key_file: str | None
    over_rdma: bool
    task: Task = "generate"

    @property
    def is_head(self) -> bool:
        return self.local_rank.rank == 0

    @property
    def peers(self) -> tuple[RankEndpoint, ...]:
        return tuple(rank for rank in self.ranks if rank.rank != self.local_rank.rank)

    @property
    def is_loopback(self) -> bool:
        """Whether only the head's own node reaches the API."""
        return is_loopback(urlsplit(self.url).hostname or "")


def find_target(want: Want, node: str) -> WatchTarget:
    """Raises StepError where the want names no rank of this node."""
    ranks = tuple(map(_find_endpoint, want.members))
    local_ranks = [rank for rank in ranks if rank.node == node]
    if not local_ranks:
        raise StepError(f"Service {want.service} has no rank on {node}.")
    return WatchTarget(
        service=want.service,
        token=want.token,
        engine=want.engine,
        runtime=want.runtime,
        ranks=ranks,
        local_rank=local_ranks[0],
        url=want.url,
        watch_port=want.watch_port,
        served_name=want.served_name,
        ready_timeout_s=want.ready_timeout_s,
        silence_timeout_s=want.silence_timeout_s,
        key_file=want.key_file,
        over_rdma=want.over_rdma,
        task=want.task,
    )


def _find_endpoint(rank: WantedRank) -> RankEndpoint:
    name = rank.container or rank.unit or ""
    return RankEndpoint(rank.rank, rank.node, name, rank.management_address)
