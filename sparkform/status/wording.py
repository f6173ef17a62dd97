"""Figures as people read them. Pure."""

from __future__ import annotations

from node.readings.measure import Figure, Unread
from sparkform.status.rack_status import (
    CableStatus,
    NodeStatus,
    RackStatus,
    RankStatus,
    ServiceStatus,
)

UNKNOWN, ABSENT = "?", "–"
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
CABLE_STATES = ("down", "partial", "up")
"""The worst first."""


def format_figure(figure: Figure, unit: str = "", digits: int = 0) -> str:
    """
    >>> format_figure(37.25, "W"), format_figure(None, "W"), format_figure(Unread("late"), "W")
    ('37 W', '–', '?')
    """
    if isinstance(figure, Unread):
        return UNKNOWN
    return ABSENT if figure is None else f"{figure:.{digits}f} {unit}".rstrip()


def format_share(share: Figure) -> str:
    return format_figure(share if share is None or isinstance(share, Unread) else share * 100, "%")


def format_duration(seconds: Figure) -> str:
    """
    >>> format_duration(42.0), format_duration(723.0), format_duration(11520.0)
    ('42 s', '12 min', '3 h 12 min')
    >>> format_duration(190000.0)
    '2 d 4 h'
    """
    if seconds is None or isinstance(seconds, Unread):
        return format_figure(seconds)
    if seconds < MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < HOUR_S:
        return f"{seconds // MINUTE_S:.0f} min"
    if seconds < DAY_S:
        return f"{seconds // HOUR_S:.0f} h {seconds % HOUR_S // MINUTE_S:.0f} min"
    return f"{seconds // DAY_S:.0f} d {seconds % DAY_S // HOUR_S:.0f} h"


def format_state(state: str | Unread | None) -> str:
    return "unknown" if isinstance(state, Unread) else state or ABSENT


def format_memory(node: NodeStatus) -> str:
    """
    Used and total: `97/120 GiB`.
    """
    used, total = format_figure(node.memory_used_gib), format_figure(node.memory_total_gib)
    return UNKNOWN if UNKNOWN in (used, total) else f"{used}/{total} GiB"


def format_clock(node: NodeStatus) -> str:
    """With a mark where something holds it down."""
    clock = format_figure(node.gpu_clock_mhz, "MHz")
    return f"{clock} ↓" if describe_clock(node) else clock


def format_node_links(status: RackStatus, node: NodeStatus) -> str:
    """The worst of the node's cables: `up 200G`, or `up 13/200G` where it was measured."""
    cables = [cable for cable in status.cables if node.name in cable.ends]
    if isinstance(node.links, Unread):
        return UNKNOWN
    known = [cable for cable in cables if cable.state in CABLE_STATES]
    if not known:
        return ABSENT
    worst = min(known, key=lambda cable: CABLE_STATES.index(str(cable.state)))
    speed = "" if worst.state == "down" else format_speed(worst)
    return f"{worst.state} {speed}".rstrip()


def format_speed(cable: CableStatus) -> str:
    """What was measured, where it was, of what the link says; nothing where that is not known."""
    if not isinstance(cable.speed_gbps, float) or not cable.speed_gbps:
        return ""
    measured = cable.measured_gbps
    share = f"{measured:.0f}/" if isinstance(measured, float) else ""
    return f"{share}{cable.speed_gbps:.0f}G"


def format_ranks(service: ServiceStatus) -> str:
    """How many of how many run: `1/2`, with `?` where some are not known."""
    unknown = UNKNOWN if any(isinstance(rank.state, Unread) for rank in service.ranks) else ""
    return f"{service.running_ranks}{unknown}/{len(service.ranks)}"


def describe_clock(node: NodeStatus) -> str:
    """What holds the GPU's clock down; nothing where nothing does, or where it is not known."""
    holders = node.clock_held_by
    return (
        f"GPU clock held down: {', '.join(holders)}"
        if isinstance(holders, tuple) and holders
        else ""
    )


def describe_rank(rank: RankStatus) -> str:
    return f"rank {rank.rank} on {rank.node}"


def list_remarks(service: ServiceStatus, now_unix_s: float) -> tuple[str, ...]:
    """What a row has no room for: why it is as it is, ranks that ended, the last failure."""
    remarks = [service.detail] if service.detail and not service.is_serving else []
    remarks += [f"{describe_rank(rank)}: {rank.ending}" for rank in service.ranks if rank.ending]
    failure = service.last_failure
    if failure is not None and not isinstance(failure, Unread):
        age = format_duration(max(0.0, now_unix_s - failure.at_unix_s))
        culprit = (
            f"rank {failure.rank} on {failure.node}" if failure.rank is not None else failure.node
        )
        remarks.append(f"last failure {age} ago: {culprit}: {failure.cause}")
    return tuple(remarks)
