"""Watches on two nodes tell each other of failures, and nobody else can."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from node.host import typed_json
from node.readiness import peers
from node.readiness.failure import StartFailure
from node.readiness.target import WatchTarget, find_target
from node.readiness.want import Want
from tests.unit.node.readiness.conftest import WANT

FAILURE = StartFailure("dead-rank", "it has ended", "look", "exit code 1", 1, "spark-2")


def find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def pair(monkeypatch) -> tuple[WatchTarget, WatchTarget]:
    monkeypatch.setattr(peers, "ASK_PAUSE_S", 0.02)
    monkeypatch.setattr(peers, "ASK_TIMEOUT_S", 5.0)
    member = WANT["members"][0]
    want = {
        **WANT,
        "members": [member, {**member, "rank": 1, "node": "spark-2"}],
        "watch_port": find_free_port(),
    }
    typed = typed_json.parse(Want, want, "want")
    return find_target(typed, "spark-1"), find_target(typed, "spark-2")


def wait_for(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(condition())


def test_the_head_hears_of_a_workers_failure_and_the_worker_waits_for_that(pair) -> None:
    head, worker = map(peers.start, pair)
    peers.notify(worker, pair[1], FAILURE)
    peers.linger(worker, pair[1])
    assert wait_for(lambda: head.peer_failure == FAILURE)
    head.closed.set()


def test_a_worker_hears_of_the_heads_failure(pair) -> None:
    head, worker = map(peers.start, pair)
    failure = replace(FAILURE, rank=0, node="spark-1")
    peers.notify(head, pair[0], failure)
    assert wait_for(lambda: worker.peer_failure == failure)
    peers.linger(worker, pair[1])
    peers.linger(head, pair[0])


def test_the_head_knows_when_a_worker_last_showed_progress(pair) -> None:
    head, worker = map(peers.start, pair)
    worker.own_progress_s = time.monotonic() - 30
    assert wait_for(lambda: head.peer_progress_s > 0)
    assert 29 < time.monotonic() - head.peer_progress_s < 45
    worker.own_progress_s = time.monotonic()
    assert wait_for(lambda: time.monotonic() - head.peer_progress_s < 15)
    for channel in (head, worker):
        channel.closed.set()


def test_another_token_is_neither_told_nor_heard(pair) -> None:
    worker = peers.start(pair[1])
    worker.own_failure = FAILURE
    stranger = peers.PeerChannel("another")
    stranger.own_failure = replace(FAILURE, summary="planted")
    peers._query(stranger, ("127.0.0.1", pair[1].watch_port))
    assert (stranger.peer_failure, worker.peer_failure) == (None, None)
    assert not worker.delivered.is_set()
    peers._query(peers.PeerChannel(pair[1].token), ("127.0.0.1", pair[1].watch_port))
    assert wait_for(worker.delivered.is_set), (
        "its own token must reach it, or this test proves nothing"
    )
    worker.closed.set()


def test_a_worker_outlives_what_is_no_question(pair) -> None:
    worker = peers.start(pair[1])
    token_message = json.dumps({"token": pair[1].token}).encode()
    for text in (
        b"",
        b"GET / HTTP/1.1\r\n\r\n\n",
        b"[]\n",
        b'{"token": 1}\n',
        token_message + b"\n",
    ):
        with socket.create_connection(("127.0.0.1", pair[1].watch_port)) as line:
            line.sendall(text)
    channel = peers.PeerChannel(pair[1].token)
    worker.own_failure = FAILURE
    peers._query(channel, ("127.0.0.1", pair[1].watch_port))
    assert channel.peer_failure == FAILURE
    worker.closed.set()


def test_a_taken_port_leaves_the_watch_alone(pair) -> None:
    with socket.create_server(("127.0.0.1", pair[1].watch_port)):
        channel = peers.start(pair[1])
    channel.own_failure = FAILURE
    started_s = time.monotonic()
    peers.linger(channel, pair[1])
    assert time.monotonic() - started_s < peers.NOTIFY_LIMIT_S / 2
