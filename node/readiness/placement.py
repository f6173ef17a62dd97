"""Why a rank was never started: only Swarm's manager knows."""

from __future__ import annotations

from node.host.system import System
from node.ranks.finding import find_swarm_ranks
from node.ranks.swarm_services import NO_ROOM
from node.readiness.diagnosis import explain_placement
from node.readiness.failure import RankIdentity, StartFailure
from node.readiness.target import RankEndpoint, WatchTarget


def find_unplaced_rank(system: System, target: WatchTarget) -> StartFailure | None:
    """For the head, which is a manager: the first rank that Swarm cannot start."""
    if target.runtime != "swarm" or not target.is_head:
        return None
    errors = {rank.name: rank.placement_error for rank in find_swarm_ranks(system).ranks}
    for endpoint in target.ranks:
        error = errors.get(endpoint.name)
        if error:
            return _build_failure(target.service, endpoint, error)
    return None


def _build_failure(service: str, endpoint: RankEndpoint, error: str) -> StartFailure:
    identity = RankIdentity(service, endpoint.rank, endpoint.node)
    return explain_placement(identity, error, NO_ROOM in error)
