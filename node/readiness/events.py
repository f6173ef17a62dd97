"""What a watch can learn of a rank. `at_s`: seconds of a monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass

from node.ranks.rank import Rank
from node.readiness.failure import StartFailure


@dataclass(frozen=True)
class RankObserved:
    """The rank as it is now, null where it is absent. `unknown`: why its state is not known."""

    at_s: float
    rank: Rank | None
    unknown: str | None = None


@dataclass(frozen=True)
class LinePrinted:
    """One line of the rank's log."""

    at_s: float
    text: str


@dataclass(frozen=True)
class MemoryRead:
    """What the rank's control group holds."""

    at_s: float
    memory_bytes: int


@dataclass(frozen=True)
class PeerProgressed:
    """Another rank of the service showed progress, at that time."""

    at_s: float


@dataclass(frozen=True)
class FailureReported:
    """By another rank's watch, by the Swarm's manager, or by the API."""

    at_s: float
    failure: StartFailure


@dataclass(frozen=True)
class Answered:
    """The API has completed a request."""

    at_s: float


@dataclass(frozen=True)
class Ticked:
    """The end of a slice: the judge decides."""

    at_s: float


Event = (
    RankObserved | LinePrinted | MemoryRead | PeerProgressed | FailureReported | Answered | Ticked
)
