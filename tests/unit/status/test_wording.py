"""Figures in words, the JSON form, and the reasons for what is not known."""

from __future__ import annotations

import doctest
import json

from node.ranks.rank import NodeRanks
from node.readings.measure import Unread
from sparkform.status import wording
from sparkform.status.rack_status import list_reasons
from sparkform.status.wording import format_clock, format_node_links, format_ranks, list_remarks
from tests.support.status_documents import (
    NOW_S,
    build_document,
    build_gpu,
    build_rank,
    build_report,
    build_status,
    build_telemetry,
)

SILENT = Unread("10.0.0.2 is unreachable")


def test_the_examples_hold() -> None:
    assert doctest.testmod(wording).failed == 0


def test_ranks_that_are_not_known_are_marked() -> None:
    assert format_ranks(build_status().services[0]) == "2/2"
    assert format_ranks(build_status({"spark-2": SILENT}).services[0]) == "1?/2"


def test_links_of_a_node_are_those_of_its_worst_cable() -> None:
    status = build_status()
    assert format_node_links(status, status.nodes[0]) == "up 200G"
    unplugged = build_status({"spark-2": build_document(1, telemetry=build_telemetry(links=()))})
    assert format_node_links(unplugged, unplugged.nodes[1]) == "down"
    silent = build_status({"spark-2": SILENT})
    assert format_node_links(silent, silent.nodes[1]) == "?"


def test_what_a_cable_was_measured_to_carry_stands_before_what_its_link_says() -> None:
    name = build_status().cables[0].name
    document = build_document(1, measured_gbps={name: 13.2, "gone": 1.0})
    status = build_status({"spark-2": document})
    assert status.cables[0].measured_gbps == 13.2
    assert [format_node_links(status, node) for node in status.nodes] == ["up 13/200G"] * 2
    assert build_status().cables[0].measured_gbps is None


def test_a_held_clock_is_marked() -> None:
    hot = build_telemetry(gpus=(build_gpu(throttle_reasons=("sw_thermal",)),))
    status = build_status({"spark-1": build_document(0, telemetry=hot)})
    assert [format_clock(node) for node in status.nodes] == ["2418 MHz ↓", "2418 MHz"]


def test_remarks_tell_why_and_the_last_failure() -> None:
    ended = NodeRanks((build_rank(1, state="ended", exit_code=1),))
    report = build_report(0, phase="gave-up", detail="4 restarts within 2 h")
    status = build_status(
        {
            "spark-1": build_document(0, supervision={"qwen": report}),
            "spark-2": build_document(1, ranks=ended),
        }
    )
    assert list_remarks(status.services[0], NOW_S) == (
        "4 restarts within 2 h",
        "rank 1 on spark-2: exit code 1",
        "last failure 2 h 0 min ago: rank 1 on spark-2: exit code 137 (SIGKILL)",
    )


def test_a_reason_stands_once_with_all_that_it_concerns() -> None:
    assert list_reasons(build_status()) == ()
    assert list_reasons(build_status({"spark-2": SILENT})) == (
        "spark-2, qwen: 10.0.0.2 is unreachable",
    )


def test_json_has_null_and_the_reason_for_what_was_not_read() -> None:
    document = json.loads(json.dumps(build_status({"spark-2": SILENT}).to_json()))
    assert document["healthy"] is False
    first, second = document["nodes"]
    assert "unread" not in first
    assert first["gpuPowerW"] == 38.4
    assert second["gpuPowerW"] is None
    assert second["unread"]["gpuPowerW"] == "10.0.0.2 is unreachable"
    assert document["services"][0]["ranks"][1] == {
        "rank": 1,
        "node": "spark-2",
        "state": None,
        "ending": None,
        "unread": {"state": "10.0.0.2 is unreachable"},
    }


def test_json_of_what_is_absent_has_null_without_a_reason() -> None:
    without_gpu = build_document(0, telemetry=build_telemetry(gpus=()))
    node = json.loads(json.dumps(build_status({"spark-1": without_gpu}).to_json()))["nodes"][0]
    assert node["gpuPowerW"] is None
    assert "unread" not in node


def test_healthy_means_that_all_serve_and_all_answer() -> None:
    assert build_status().is_healthy
    assert not build_status({"spark-2": SILENT}).is_healthy
    degraded = {"qwen": build_report(0, phase="degraded")}
    assert not build_status({"spark-1": build_document(0, supervision=degraded)}).is_healthy
