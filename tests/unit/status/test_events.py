"""What is told between two looks, and that not knowing is no change."""

from __future__ import annotations

from node.ranks.rank import NodeRanks
from node.readings.measure import Unread
from node.verbs.status import NodeDocument
from sparkform.status.events import list_events
from tests.support.status_documents import (
    build_document,
    build_gpu,
    build_links,
    build_rank,
    build_report,
    build_status,
    build_telemetry,
)

SILENT = Unread("10.0.0.2 is unreachable")


def tell(before: NodeDocument | Unread, after: NodeDocument | Unread, node: int = 2) -> list[str]:
    """The events of a rack in which one node's document changes."""
    name = f"spark-{node}"
    events = list_events(build_status({name: before}), build_status({name: after}))
    return [f"{event.severity} {event.subject}: {event.text}" for event in events]


def test_two_equal_looks_tell_nothing() -> None:
    assert tell(build_document(1), build_document(1)) == []


def test_a_killed_rank_and_the_restart_are_told() -> None:
    ended = NodeRanks((build_rank(1, state="ended", exit_code=137),))
    assert tell(build_document(1), build_document(1, ranks=ended)) == [
        "bad qwen: rank 1 on spark-2 is ended: exit code 137 (SIGKILL)"
    ]
    report = build_report(0, phase="recovering", restarts=2, detail="rank 1 ended")
    recovering = build_document(0, supervision={"qwen": report})
    assert tell(build_document(0), recovering, node=1) == [
        "bad qwen: is recovering: rank 1 ended",
        "info qwen: restart 2",
    ]
    assert tell(recovering, build_document(0), node=1)[0] == "good qwen: is serving"


def test_a_silent_node_is_told_once_and_its_ranks_are_not_called_ended() -> None:
    assert tell(build_document(1), SILENT) == ["bad spark-2: 10.0.0.2 is unreachable"]
    assert tell(SILENT, SILENT) == []
    assert tell(SILENT, build_document(1)) == ["good spark-2: answers"]


def test_a_pulled_cable_and_a_held_clock_are_told() -> None:
    pulled = build_document(1, telemetry=build_telemetry(links=build_links()))
    assert tell(build_document(1), pulled) == ["bad cable spark-1:0-spark-2:0: is down"]
    hot = build_telemetry(gpus=(build_gpu(throttle_reasons=("sw_thermal",)),))
    assert tell(build_document(1), build_document(1, telemetry=hot)) == [
        "bad spark-2: GPU clock held down: sw_thermal"
    ]
