"""What the gateway is told, and how long an end on purpose waits for it."""

from __future__ import annotations

import socket
import time

import pytest

from node.host.system import CommandResult
from node.ranks import supervisors
from node.ranks.supervisors import end_supervisor, get_drain_path
from node.steps.supervise import render_target
from node.supervision.gateway_agent import AWAY_S, EMPTY_S, HEARD_S, GatewayAgent
from node.supervision.paths import get_target_path
from node.supervision.target import GatewayPeer
from tests.support.fake_system import FakeSystem
from tests.unit.node.supervision.conftest import build_target

PEER = GatewayPeer("127.0.0.1", 60.0)


def find_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def build_agent(asked_s: float | None = 100.0) -> GatewayAgent:
    return GatewayAgent(PEER, ("127.0.0.1", 1), told_s=0.0, asked_s=asked_s)


@pytest.mark.parametrize(
    ("is_serving", "is_ending", "word"),
    [
        (True, False, "ready up"),
        (True, True, "drain"),
        (False, False, "down"),
        (False, True, "down"),
    ],
)
def test_a_word_follows_from_the_phase(is_serving: bool, is_ending: bool, word: str) -> None:
    agent = build_agent()
    agent.tell(is_serving, is_ending, 5.0)
    assert agent.word == word


def test_a_word_is_heard_once_all_processes_have_asked() -> None:
    agent = build_agent()
    agent.tell(True, False, 100.0)
    assert not agent.is_heard(100.0 + HEARD_S / 2)
    agent.tell(True, False, 101.0)
    assert agent.is_heard(100.0 + HEARD_S), "the same word is not told anew"


def test_a_gateway_that_does_not_ask_is_not_waited_for() -> None:
    assert build_agent(asked_s=None).is_heard(0.0)
    assert build_agent(asked_s=0.0).is_heard(AWAY_S + 1)


@pytest.mark.parametrize(
    ("age_s", "under_way", "is_drained"),
    [
        (EMPTY_S - 1, 0, False),
        (EMPTY_S, 0, True),
        (EMPTY_S, 1, False),
        (EMPTY_S, None, False),
        (PEER.drain_s, 1, True),
        (PEER.drain_s, None, True),
    ],
)
def test_requests_under_way_are_waited_for_within_the_limit(
    age_s: float, under_way: float | None, is_drained: bool
) -> None:
    agent = build_agent()
    agent.tell(True, True, 10.0)
    assert agent.is_drained(10.0 + age_s, under_way) == is_drained


def test_what_serves_is_not_drained_and_what_is_down_has_nothing_under_way() -> None:
    agent = build_agent()
    agent.tell(True, False, 0.0)
    assert not agent.is_drained(1000.0, 0)
    agent.tell(False, True, 0.0)
    assert agent.is_drained(0.0, None)


def test_only_the_gateway_is_answered() -> None:
    port = find_port()
    for address, answer in (("127.0.0.1", "down\n"), ("127.0.0.9", "")):
        agent = GatewayAgent(GatewayPeer(address, 60.0), ("127.0.0.1", port))
        agent.listen(time.monotonic())
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            assert connection.makefile().readline() == answer
        agent.close()


def test_a_port_that_is_taken_is_tried_again_later(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        agent = GatewayAgent(PEER, ("127.0.0.1", int(server.getsockname()[1])))
        agent.listen(100.0)
        agent.listen(101.0)
    assert capsys.readouterr().err.count("cannot listen") == 1
    agent.listen(200.0)
    assert agent.server is not None
    agent.close()


class Supervisor:
    """systemd, and a supervisor that removes the file after so many looks at its unit."""

    def __init__(self, system: FakeSystem, looks: int) -> None:
        self.system, self.looks, self.stopped = system, looks, False
        system.script.commands[("systemctl", "is-active")] = self.look
        system.script.commands[("systemctl", "stop")] = self.stop
        system.script.commands[("systemctl", "reset-failed")] = self.reset

    def look(self, argv: list[str], stdin: str) -> CommandResult:
        if self.looks == 0:
            self.system.remove(get_drain_path("qwen"))
        self.looks -= 1
        return CommandResult(0, "", "")

    def stop(self, argv: list[str], stdin: str) -> CommandResult:
        assert self.system.get_state(get_drain_path("qwen")) is None
        self.stopped = True
        return CommandResult(0, "", "")

    def reset(self, argv: list[str], stdin: str) -> CommandResult:
        return CommandResult(0, "", "")


@pytest.mark.parametrize(("drain_s", "looks"), [(60.0, 3), (0.0, -1)])
def test_a_supervisor_ends_once_requests_are_over_or_the_time_is(
    drain_s: float, looks: int, system: FakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisors, "DRAIN_PAUSE_S", 0.01)
    monkeypatch.setattr(supervisors, "DRAIN_SPARE_S", 0.2)
    target = build_target(gateway={"address": "10.0.0.1", "drain_s": drain_s})
    system.put(get_target_path("qwen"), render_target(target))
    supervisor = Supervisor(system, looks)
    end_supervisor(system, "qwen")
    assert supervisor.stopped
    assert supervisor.looks < 0


@pytest.mark.parametrize("gateway", [None, {"address": "10.0.0.1", "drain_s": 60.0}])
def test_nobody_waits_where_no_gateway_asks(
    gateway: dict[str, object] | None, system: FakeSystem
) -> None:
    """Without one, and on the nodes of other ranks."""
    node = "spark-2" if gateway else "spark-1"
    target = build_target(node=node, **({"gateway": gateway} if gateway else {}))
    system.put(get_target_path("qwen"), render_target(target))
    supervisor = Supervisor(system, looks=1)
    end_supervisor(system, "qwen")
    assert (supervisor.stopped, supervisor.looks) == (True, 0)
