"""Frames of Docker's logs, Swarm's words, signals, and what doctor is told."""

from __future__ import annotations

import os
import signal
import struct
from typing import Any

import pytest

from node.host.paths import STATE
from node.host.system import HttpAnswer
from node.ranks import frames, swarm_services
from node.readiness import interruption, probe
from node.readiness.interruption import Interruption
from node.readiness.probe import CompletionReply
from node.steps import StepRequest, ready
from tests.support.fake_engine import TOKEN, build_frame


def test_frames_become_lines_with_their_times() -> None:
    long = "x" * 300
    data = build_frame(1.5, "first") + build_frame(2, f"10%\r20%\r{long}")
    assert [(line.cursor[-11:], line.text) for line in frames.parse_lines(data, False)] == [
        (".500000000Z", "first"),
        (".000000000Z", "10%"),
        (".000000000Z", "20%"),
        (".000000000Z", long),
    ]


def test_a_frame_that_is_cut_short_is_read_as_far_as_it_came() -> None:
    data = build_frame(1, "whole") + struct.pack(">BxxxL", 1, 500)[:5]
    assert [line.text for line in frames.parse_lines(data, False)] == ["whole"]


def test_a_terminals_log_has_no_frames() -> None:
    data = b"2025-11-21T11:05:20.000000000Z hello\r\n2025-11-21T11:05:21.000000000Z there\r\n"
    assert [line.text for line in frames.parse_lines(data, True)] == ["hello", "there"]


def find_error(tasks: list[Any]) -> str | None:
    newest = swarm_services.find_newest_tasks([{**task, "ServiceID": "s0"} for task in tasks])
    return swarm_services.find_placement_error(newest.get("s0", {}))


@pytest.mark.parametrize(
    ("newest", "message"),
    [
        ({"State": "rejected", "Err": "No such image: qwen:1"}, "No such image: qwen:1"),
        (
            {"State": "pending", "Err": "no suitable node (insufficient resources on 2 nodes)"},
            "no suitable node (insufficient resources on 2 nodes)",
        ),
        ({"State": "preparing"}, None),
        ({"State": "pending", "Err": ""}, None),
    ],
)
def test_swarm_says_of_the_newest_task_why_it_does_not_run(newest, message) -> None:
    old_task = {"CreatedAt": "2025-11-21T10:00:00Z", "Status": {"State": "rejected", "Err": "old"}}
    new_task = {"CreatedAt": "2025-11-21T11:00:00Z", "Status": newest}
    assert find_error([new_task, old_task]) == message
    assert find_error([]) is None


def test_signals_are_noted_and_ended_output_too(monkeypatch) -> None:
    handlers_before = {number: signal.getsignal(number) for number in interruption.SIGNALS}
    monkeypatch.setattr(interruption, "is_unread", lambda: False)
    try:
        noted, quiet = Interruption(), Interruption()
        os.kill(os.getpid(), signal.SIGTERM)
        assert (noted.reason, quiet.reason) == (None, "SIGTERM")
        monkeypatch.setattr(interruption, "is_unread", lambda: True)
        assert Interruption().reason == "client disconnected"
    finally:
        for number, handler in handlers_before.items():
            signal.signal(number, handler)


def test_doctor_is_told_of_ranks_and_of_one_token(engine, monkeypatch) -> None:
    engine.spark.system.put(f"{STATE}/services/qwen/secrets/api_key", "open-sesame")
    engine.lines = [(-1, f"line {number} open-sesame") for number in range(20)]
    engine.death = (-1, 139)
    monkeypatch.setattr(probe, "request_completion", lambda question: CompletionReply(0, "refused"))
    request_value = {
        "service": "qwen",
        "asks": True,
        "served_name": "m",
        "task": "generate",
        "bind": "0.0.0.0",
        "address": "10.0.0.1",
        "port": 8000,
        "key_file": "/nowhere",
        "swarm_names": [],
    }
    have: Any = ready.observe(engine.spark.system, StepRequest(raw={"services": [request_value]}))
    (rank,) = have["qwen"]["ranks"]
    assert (rank["rank"], rank["alive"], rank["ending"]) == (0, False, "exit code 139 (SIGSEGV)")
    assert rank["last"] == [f"line {number} (hidden)" for number in range(10, 20)]
    completion = have["qwen"]["completion"]
    assert (completion["url"], completion["text"]) == ("http://10.0.0.1:8000", "refused")
    assert ready.observe(engine.spark.system, StepRequest()) == {}


@pytest.mark.parametrize("own_is_there", [True, False])
def test_the_head_says_why_swarm_starts_no_other(engine, failure, own_is_there) -> None:
    engine.removed = not own_is_there
    labels = {"sparkform.service": "qwen", "sparkform.rank": "0", "sparkform.token": TOKEN}
    service = {"ID": "s0", "Spec": {"Name": "sparkform-qwen-0", "Labels": labels}}
    status = {"State": "rejected", "Err": "No such image: qwen:1"}
    newest = {"ServiceID": "s0", "CreatedAt": "1", "Status": status}
    engine.spark.system.script.requests |= {
        ("GET", "/services"): lambda *arguments: HttpAnswer(200, [service]),
        ("GET", "/tasks"): lambda *arguments: HttpAnswer(200, [newest]),
    }
    report = failure(runtime="swarm")
    assert "[not-placed]" in report
    assert "symptom: No such image: qwen:1" in report
    assert engine.second < 4
