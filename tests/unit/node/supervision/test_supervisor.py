"""Two whole supervisors over real sockets: their ranks are containers of a fake Docker, their API
is a real one on the loopback address."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from node.errors import StepError
from node.host.paths import BOOT_ID
from node.host.system import CommandResult, HttpAnswer
from node.ranks.supervisors import get_drain_path
from node.supervision import caller, engine_pulse, memory_return, restarts
from node.supervision.messages import Order
from node.supervision.paths import get_pause_path, get_request_path, get_target_path
from node.supervision.report import read_live
from node.supervision.state import Phase, read_state
from node.supervision.supervisor import open_supervisor
from node.supervision.target import SupervisionTarget
from node.verbs import supervise
from tests.support.fake_engine import build_frame
from tests.support.fake_ranks import MEMORY
from tests.support.fake_system import FakeSystem
from tests.support.steady_load import SteadyLoad
from tests.unit.node.supervision.conftest import TARGET, build_target

LIMIT_S = 20.0
KEY = "k" * 32
CHAT = json.dumps({"choices": [{"message": {"content": "Hello"}}]})


@dataclass
class FakeContainer:
    """One rank's, on one node. `lines` are those of all its runs, with their seconds."""

    rank: int
    state: str = "running"
    runs: int = 1
    lines: list[tuple[float, str]] = field(default_factory=list)
    is_silent: bool = False
    dies_at_once: bool = False
    name_suffix: str = ""

    @property
    def name(self) -> str:
        return f"sparkform-qwen-{self.rank}{self.name_suffix}"

    def answer(self, method: str, path: str, body: object) -> HttpAnswer:
        if self.is_silent:
            return HttpAnswer(0, "connection refused")
        resource, _, query = path.partition("?")
        if resource == "/containers/json":
            return HttpAnswer(200, [{"Id": self.name}] if self.state != "gone" else [])
        verb = resource.rpartition("/")[2]
        reply: Callable[[str], HttpAnswer] = getattr(self, f"do_{verb}")
        return reply(query)

    def do_json(self, query: str) -> HttpAnswer:
        labels = {
            "sparkform.service": "qwen",
            "sparkform.rank": str(self.rank),
            "sparkform.token": TARGET["token"],
        }
        state = {
            "Status": self.state,
            "StartedAt": f"2025-11-21T08:00:{self.runs:02}.5Z",
            "ExitCode": 137,
        }
        container = {"Id": self.name, "Name": f"/{self.name}", "State": state}
        return HttpAnswer(200, {**container, "Config": {"Labels": labels, "Tty": False}})

    def do_logs(self, query: str) -> HttpAnswer:
        since_s = float(query.rpartition("since=")[2]) - 1763712000
        frames = [build_frame(at_s, text) for at_s, text in self.lines if at_s >= since_s]
        return HttpAnswer(200, b"".join(frames))

    def do_stats(self, query: str) -> HttpAnswer:
        return HttpAnswer(200, {"memory_stats": {"usage": 1}})

    def do_start(self, query: str) -> HttpAnswer:
        if self.state == "running":
            return HttpAnswer(304, "")
        self.state, self.runs = "exited" if self.dies_at_once else "running", self.runs + 1
        return HttpAnswer(204, "")

    def do_stop(self, query: str) -> HttpAnswer:
        self.state = "exited"
        return HttpAnswer(204, "")


class LongQueueServer(http.server.ThreadingHTTPServer):
    """As an engine's: the default queue of five refuses a load."""

    request_queue_size = 128


class Api:
    """Answers while `lives`, hangs while not; `counts` says which figures move."""

    def __init__(self) -> None:
        self.lives, self.served, self.closed = True, 0, threading.Event()
        self.running = 0
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                text = api.reply(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = answer

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = LongQueueServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def reply(self, path: str) -> str:
        if path == "/metrics":
            figures = {"iteration_tokens_total_count": self.served}
            figures["num_requests_running"] = self.running
            return "".join(f'vllm:{name}{{engine="0"}} {n}.0\n' for name, n in figures.items())
        if path.startswith("/v1/chat"):
            while not self.lives and not self.closed.wait(0.05):
                pass
            self.served += 1
        return CHAT


@dataclass
class Group:
    """`supervisors` by rank; a node whose supervisor is dead has None."""

    targets: list[SupervisionTarget]
    systems: list[FakeSystem]
    containers: list[FakeContainer]
    api: Api
    supervisors: list[Any] = field(default_factory=lambda: [None, None])

    def start(self, rank: int) -> None:
        state = read_state(self.systems[rank], "qwen")
        self.supervisors[rank] = open_supervisor(
            self.systems[rank], self.targets[rank], KEY, None, state
        )

    def kill(self, rank: int) -> None:
        """All its threads, as SIGKILL does; nothing is written."""
        supervisor = self.supervisors[rank]
        self.supervisors[rank] = None
        if supervisor and supervisor.ears:
            supervisor.ears.close()
        if supervisor:
            supervisor.meter.closed.set()
        if supervisor and supervisor.coordination:
            supervisor.coordination.close()

    @property
    def phase(self) -> Phase | None:
        order = self.supervisors[0].order if self.supervisors[0] else None
        return order.phase if order else None

    @property
    def runs(self) -> list[int]:
        return [container.runs for container in self.containers]

    def turn(self) -> None:
        for supervisor in filter(None, self.supervisors):
            supervisor.advance()
        time.sleep(0.02)

    def turn_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < deadline, self.describe()
            self.turn()

    def await_phase(self, *phases: Phase) -> None:
        self.turn_until(lambda: self.phase in phases)

    def describe(self) -> str:
        return str([(s.order, s.report) for s in self.supervisors if s])


def answer_with(result: CommandResult, argv: list[str], stdin: str) -> CommandResult:
    return result


def find_port(address: str) -> int:
    with socket.create_server((address, 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def pulse_limits() -> dict[str, float]:
    """Short ones; a test may set its own."""
    return {"quiet_s": 0.3, "canary_s": 0.3}


@pytest.fixture
def gateway_peer() -> dict[str, object] | None:
    """Without a gateway, unless a test has one."""
    return None


@pytest.fixture
def group(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pulse_limits: dict[str, float],
    gateway_peer: dict[str, object] | None,
) -> Iterator[Group]:
    monkeypatch.setattr(restarts, "SHORTEST_WAIT_S", 0.2)
    monkeypatch.setattr(memory_return, "STEADY_S", 0.1)
    monkeypatch.setattr(caller, "ASK_PAUSE_S", 0.02)
    monkeypatch.setattr("node.readiness.probe.PAUSE_S", 0.05)
    monkeypatch.setattr(engine_pulse, "READ_EVERY_S", 0.05)
    monkeypatch.setattr("node.supervision.rank_watch.READ_EVERY_S", 0.05)
    monkeypatch.setattr("node.supervision.coordination.SILENT_S", 1.0)
    api = Api()
    addresses = ["127.0.0.1", "127.0.0.2"]
    ranks = [
        {
            **TARGET["ranks"][rank],
            "address": address,
            "port": find_port(address),
            "ports": [{"number": 8000 + rank, "address": "0.0.0.0", "purpose": "API"}],
        }
        for rank, address in enumerate(addresses)
    ]
    limits = {**TARGET["limits"], **pulse_limits}
    targets = [
        build_target(
            node=f"spark-{rank + 1}",
            ranks=ranks,
            url=api.url,
            limits=limits,
            **({"gateway": gateway_peer} if gateway_peer else {}),
        )
        for rank in range(2)
    ]
    containers = [FakeContainer(rank) for rank in range(2)]
    systems = []
    for rank in range(2):
        system = FakeSystem(tmp_path / str(rank))
        system.put(BOOT_ID, "boot-1\n")
        system.put("/proc/meminfo", MEMORY)
        system.put("/proc/sys/vm/drop_caches", "")
        system.path("/var/log").mkdir(parents=True)
        system.path("/var/lib/sparkform").mkdir(parents=True)
        system.script.requests[("*", "*")] = containers[rank].answer
        system.script.commands[("nvidia-smi",)] = partial(answer_with, CommandResult(9, "", ""))
        system.script.commands[("ss",)] = partial(answer_with, CommandResult(0, "", ""))
        systems.append(system)
    group = Group(targets, systems, containers, api)
    group.start(0)
    group.start(1)
    yield group
    group.kill(0)
    group.kill(1)
    api.closed.set()
    api.server.shutdown()
    api.server.server_close()


def test_a_group_that_up_has_started_is_taken_over_as_it_is(group: Group) -> None:
    group.await_phase("serving")
    assert group.runs == [1, 1]
    live = read_live(group.systems[0], "qwen")
    assert live
    assert live.phase == "serving"
    group.turn_until(lambda: (read_live(group.systems[1], "qwen") or live).phase == "serving")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_dead_rank_brings_the_group_back_as_one(group: Group, rank: int) -> None:
    group.await_phase("serving")
    group.containers[rank].lines.append((2.0, "torch.OutOfMemoryError: CUDA out of memory."))
    group.turn()
    group.containers[rank].state = "exited"
    group.await_phase("recovering")
    group.await_phase("serving")
    assert group.runs == [2, 2]
    state = read_state(group.systems[0], "qwen")
    assert state
    assert state.coordinator
    failure = state.coordinator.failure
    assert failure
    assert failure.node == f"spark-{rank + 1}"
    # A follower that was not told yet that the group serves quotes the line, too.
    assert "the engine is out of memory" in failure.cause
    assert "[out-of-memory]" in failure.cause
    assert state.coordinator.restarts.number == 1
    log = group.systems[rank].list_names("/var/log/sparkform/qwen")
    assert log
    text = group.systems[rank].read(f"/var/log/sparkform/qwen/{log[0]}") or ""
    assert "CUDA out of memory" in text


def test_a_rank_that_dies_before_anybody_looks_has_its_own_cause(group: Group) -> None:
    group.await_phase("serving")
    group.containers[1].dies_at_once = True
    group.containers[1].lines.append((2.7, "torch.OutOfMemoryError: CUDA out of memory."))
    group.containers[1].state = "exited"

    def get_cause() -> str:
        failure = group.supervisors[0].duty.state.coordinator.failure
        return failure.cause if failure else ""

    group.turn_until(lambda: group.containers[1].runs == 2)
    group.turn_until(lambda: "the engine is out of memory" in get_cause())


def test_lines_of_an_earlier_run_say_nothing_of_this_one(group: Group) -> None:
    group.await_phase("serving")
    group.containers[1].lines.append((1.6, "torch.OutOfMemoryError: CUDA out of memory."))
    group.containers[1].state = "exited"
    group.await_phase("recovering")
    group.await_phase("serving")
    for _ in range(30):
        group.turn()
    assert group.runs == [2, 2]
    group.await_phase("serving")


def test_a_launch_that_was_made_again_starts_as_one(group: Group) -> None:
    """As a node leaves it after a failed change: other containers, not started, the old records,
    and a request at rank 0. One node comes later, and is waited for."""
    group.await_phase("serving")
    for rank in (0, 1):
        group.kill(rank)
        group.containers[rank].name_suffix, group.containers[rank].state = "-again", "created"
    group.systems[0].write(get_request_path("qwen"), "")
    group.start(0)
    for _ in range(30):
        group.turn()
    assert (group.runs, group.containers[0].state) == ([1, 1], "created")
    group.start(1)
    group.turn_until(lambda: group.runs == [2, 2])
    group.await_phase("serving")
    state = read_state(group.systems[0], "qwen")
    assert state
    assert state.coordinator
    assert (state.epoch, state.coordinator.restarts.number) == (2, 0), "it counts as no failure"


def test_an_engine_that_hangs_is_restarted(group: Group) -> None:
    group.await_phase("serving")
    group.api.lives = False
    group.await_phase("suspect")
    group.await_phase("recovering")
    group.api.lives = True
    group.await_phase("serving")
    assert group.runs == [2, 2]


def test_a_fatal_line_of_an_engine_that_answers_restarts_nothing(group: Group) -> None:
    group.await_phase("serving")
    served = group.api.served
    group.containers[1].lines.append((3.0, "double free or corruption"))
    group.turn_until(lambda: group.api.served > served + 2)
    assert group.runs == [1, 1]
    group.await_phase("serving")


def write_process(group: Group, number: int, name: str, started: int) -> None:
    system, container = group.systems[1], group.containers[1]
    fields = " ".join(["S", *["0"] * 18, str(started), "0"])
    system.put(f"/proc/{number}/stat", f"{number} ({name}) {fields}\n")
    scope = f"/system.slice/docker-{container.name}.scope"
    system.put(f"/proc/{number}/cgroup", f"0::{scope}\n")
    members = f"/sys/fs/cgroup{scope}/cgroup.procs"
    system.put(members, f"{system.read(members) or ''}{number}\n")


@pytest.mark.parametrize("pulse_limits", [{"quiet_s": 0.3, "canary_s": 0.2, "stall_s": 600.0}])
@pytest.mark.parametrize("compiler", ["cicc", "python3"])
def test_an_engine_that_compiles_is_no_dead_one(
    group: Group, monkeypatch: pytest.MonkeyPatch, compiler: str
) -> None:
    """A first request of its kind builds its kernels: minutes without a sign or a line."""
    monkeypatch.setattr("node.supervision.rank_watch.PROCESSES_EVERY_S", 0.05)
    write_process(group, 70, "vllm", 1)
    group.await_phase("serving")
    supervisor: Any = group.supervisors[1]
    group.turn_until(lambda: len(supervisor.hands.watch.processes) == 1)
    write_process(group, 71, compiler, 2)
    if compiler == "python3":
        group.api.lives = False
        group.await_phase("recovering")
        group.api.lives = True
        return
    pulse = group.supervisors[0].coordination.pulse
    group.turn_until(lambda: pulse.state.compiling_s is not None)
    group.api.lives = False
    for _ in range(100):
        group.turn()
    assert group.runs == [1, 1]
    group.api.lives = True


@pytest.mark.parametrize("is_alive", [True, False])
def test_a_process_that_is_gone_inside_a_living_rank_asks_the_canary(
    group: Group, monkeypatch: pytest.MonkeyPatch, is_alive: bool
) -> None:
    monkeypatch.setattr("node.supervision.rank_watch.PROCESSES_EVERY_S", 0.05)
    write_process(group, 70, "sshd", 1)
    write_process(group, 71, "trtllm", 2)
    group.await_phase("serving")
    supervisor: Any = group.supervisors[1]
    group.turn_until(lambda: len(supervisor.hands.watch.processes) == 2)
    served = group.api.served
    group.api.lives = is_alive
    write_process(group, 71, "trtllm", 3)
    if is_alive:
        group.turn_until(lambda: group.api.served > served)
        group.await_phase("serving")
        assert group.runs == [1, 1]
    else:
        group.await_phase("recovering")
        group.api.lives = True


def test_low_power_of_all_gpus_shortens_the_proof_of_a_hang(group: Group) -> None:
    group.await_phase("serving")
    for rank in range(2):
        supervisor: Any = group.supervisors[rank]
        supervisor.hands.learn_power(60.0)
        supervisor.meter.power_w = 20.0
    group.turn_until(lambda: group.supervisors[0].coordination.pulse.state.is_power_low)
    assert group.phase == "serving"
    supervisor.meter.power_w = 59.0
    group.turn_until(lambda: not group.supervisors[0].coordination.pulse.state.is_power_low)
    supervisor.meter.power_w = 20.0
    group.turn_until(lambda: group.supervisors[0].coordination.pulse.state.is_power_low)
    group.systems[1].put(get_target_path("embed"), "{}")
    group.turn_until(lambda: not group.supervisors[0].coordination.pulse.state.is_power_low)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_supervisor_that_is_killed_comes_back_and_touches_no_rank(
    group: Group, rank: int
) -> None:
    group.await_phase("serving")
    group.kill(rank)
    if rank == 1:
        group.await_phase("degraded")
    group.start(rank)
    group.await_phase("serving")
    assert group.runs == [1, 1]


@pytest.mark.parametrize("pulse_limits", [{"quiet_s": 0.3, "canary_s": 60.0}])
def test_a_load_goes_through_a_supervisors_restart_and_a_canary_round(group: Group) -> None:
    group.await_phase("serving")
    load = SteadyLoad(group.api.url)
    with load.run():
        group.kill(1)
        for _ in range(10):
            group.turn()
        group.start(1)
        group.containers[0].lines.append((2.0, "torch.OutOfMemoryError: CUDA out of memory."))
        pulse = group.supervisors[0].coordination.pulse
        group.turn_until(lambda: pulse.state.canary is not None)
        group.turn_until(lambda: pulse.state.canary is None and group.phase == "serving")
    assert load.failures == []
    assert load.answered > 20
    assert load.scraped
    assert group.runs == [1, 1]


def test_a_docker_that_does_not_answer_is_no_death(group: Group) -> None:
    group.await_phase("serving")
    group.containers[1].is_silent = True
    group.await_phase("degraded")
    for _ in range(30):
        group.turn()
    group.containers[1].is_silent = False
    group.await_phase("serving")
    assert group.runs == [1, 1]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_port_that_a_stranger_holds_is_said_and_not_counted(
    group: Group, monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    monkeypatch.setattr("node.supervision.node_hands.PORT_GRACE_S", 0.1)
    group.await_phase("serving")
    listener = f'tcp LISTEN 0 511 127.0.0.1:{8000 + rank} 0.0.0.0:* users:(("nginx",pid=7,fd=6))\n'
    sockets = CommandResult(0, listener, "")
    group.systems[rank].script.commands[("ss",)] = partial(answer_with, sockets)
    group.containers[0].state = "exited"
    group.await_phase("blocked")
    holder = f"port {8000 + rank} (API) is held by nginx at 127.0.0.1"
    assert group.supervisors[0].order.detail == f"spark-{rank + 1}: {holder}"
    for _ in range(30):
        group.turn()
    assert (group.phase, group.runs) == ("blocked", [1, 1])
    group.systems[rank].script.commands[("ss",)] = partial(answer_with, CommandResult(0, "", ""))
    group.await_phase("serving")
    assert group.runs == [2, 2]
    assert group.supervisors[0].duty.state.coordinator.restarts.number == 0


def test_a_port_that_a_dying_rank_still_holds_is_awaited_and_excuses_nothing(
    group: Group,
) -> None:
    group.await_phase("serving")
    listener = 'tcp LISTEN 0 511 0.0.0.0:8001 0.0.0.0:* users:(("python3",pid=7,fd=6))\n'
    sockets = CommandResult(0, listener, "")
    group.systems[1].script.commands[("ss",)] = partial(answer_with, sockets)
    group.containers[1].state = "exited"
    group.turn_until(lambda: "held by python3" in str(group.supervisors[0].order))
    assert (group.phase, group.runs) == ("recovering", [1, 1])
    group.systems[1].script.commands[("ss",)] = partial(answer_with, CommandResult(0, "", ""))
    group.await_phase("serving")
    assert group.supervisors[0].duty.state.coordinator.restarts.number == 1


def test_a_container_that_is_gone_needs_an_up(group: Group) -> None:
    group.await_phase("serving")
    group.containers[1].state = "gone"
    group.await_phase("needs-up")
    group.turn_until(lambda: group.containers[0].state == "exited")
    assert group.runs == [1, 1]


def test_another_version_holds_everything_still(group: Group) -> None:
    group.await_phase("serving")
    group.kill(1)
    link = group.supervisors[0].coordination.links[1]
    with speak_another_protocol(group.targets[1].own_endpoint):
        group.turn_until(lambda: link.other_version_s is not None)
        group.containers[0].state = "exited"
        for _ in range(30):
            group.turn()
        # A slow machine may have missed a report before.
        assert group.phase in ("serving", "degraded")
        assert group.runs == [1, 1]
    group.start(1)
    group.await_phase("recovering")
    group.await_phase("serving")


def test_another_version_that_stays_is_a_silent_node_and_said(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "UPGRADE_LIMIT_S", 1.5)
    group.await_phase("serving")
    group.kill(1)
    with speak_another_protocol(group.targets[1].own_endpoint):
        group.containers[0].state = "exited"
        group.await_phase("blocked")
        assert "speaks protocol 99, this node 1" in group.supervisors[0].order.detail
        assert group.runs == [1, 1]


@contextmanager
def speak_another_protocol(endpoint: tuple[str, int]) -> Iterator[None]:
    """A follower of a later version, which says so and hangs up."""

    def greet() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b'{"protocol": 99, "nonce": "n"}\n')

    with socket.create_server(endpoint) as server:
        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_an_address_that_is_not_there_is_awaited_and_not_counted(group: Group) -> None:
    """After a power cut the router boots more slowly; an engine could not listen."""
    group.await_phase("serving")
    group.systems[0].script.lost_addresses.add("127.0.0.1")
    group.containers[0].state = "exited"
    group.await_phase("blocked")
    assert group.supervisors[0].order.detail == "spark-1: address 127.0.0.1 is not there"
    for _ in range(30):
        group.turn()
    assert group.runs == [1, 1]
    group.systems[0].script.lost_addresses.clear()
    group.await_phase("serving")
    assert group.runs == [2, 2]
    assert group.supervisors[0].duty.state.coordinator.restarts.number == 0


@pytest.mark.parametrize("rank", [0, 1])
def test_an_engine_that_cannot_be_asked_at_its_address_is_not_restarted(
    group: Group, rank: int
) -> None:
    """NetworkManager takes a link's addresses away while its cable is out."""
    group.await_phase("serving")
    group.systems[rank].script.lost_addresses.add(f"127.0.0.{rank + 1}")
    group.await_phase("degraded")
    if rank == 0:
        # The API cannot be reached at it: no canary would be answered.
        group.turn_until(lambda: group.supervisors[0].coordination.pulse is None)
        group.api.lives = False
    for _ in range(60):
        group.turn()
    assert group.phase != "serving"
    assert group.runs == [1, 1]
    group.api.lives = True
    group.systems[rank].script.lost_addresses.clear()
    group.await_phase("serving")
    assert group.runs == [1, 1]


def test_what_a_lost_coordinator_said_last_holds_no_other_service_up(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.supervision.supervisor.LIVE_EVERY_S", 0.0)
    group.await_phase("serving")
    supervisor: Any = group.supervisors[1]
    group.kill(0)
    supervisor.take_order(Order(2, "run", "recovering", turn="loading"))
    supervisor.advance()
    live = read_live(group.systems[1], "qwen")
    assert live
    assert live.turn == "loading"
    monkeypatch.setattr("node.supervision.turns.UNHEARD_LIMIT_S", 0.0)
    supervisor.advance()
    live = read_live(group.systems[1], "qwen")
    assert live
    assert (live.phase, live.turn) == ("recovering", "none")


def test_a_request_restarts_the_group_once(group: Group) -> None:
    group.await_phase("serving")
    group.systems[0].put(get_request_path("qwen"), "")
    group.await_phase("recovering")
    group.await_phase("serving")
    for _ in range(10):
        group.turn()
    assert group.runs == [2, 2]
    group.await_phase("serving")


def test_an_end_in_good_order_is_noted(group: Group) -> None:
    group.await_phase("serving")
    supervisor: Any = group.supervisors[1]
    supervisor.close()
    state = read_state(group.systems[1], "qwen")
    assert state
    assert state.boot.is_closed


def test_the_verb_says_what_is_missing(tmp_path: Path) -> None:
    for arguments in ([], ["qwen", "other"]):
        with pytest.raises(StepError, match="usage: supervise SERVICE"):
            supervise.main(FakeSystem(tmp_path), arguments, "")
    with pytest.raises(StepError, match=r"target\.json is missing; `pulumi up` writes it again"):
        supervise.main(FakeSystem(tmp_path), ["qwen"], "")


def test_systemd_is_told_that_the_loop_goes_round(
    group: Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(address)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        supervisor: Any = group.supervisors[0]
        rounds = iter([False, False, True])
        supervisor.run(lambda: next(rounds))
        messages = [server.recv(100).decode() for _ in range(4)]
    assert messages == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


def ask_as_gateway(group: Group) -> str:
    """What HAProxy's agent-check reads."""
    own = group.targets[0].coordinator
    with socket.create_connection((own.address, own.port), timeout=LIMIT_S) as connection:
        return connection.makefile().readline()


BEHIND_GATEWAY = pytest.mark.parametrize(
    "gateway_peer", [{"address": "127.0.0.1", "drain_s": LIMIT_S}]
)


@BEHIND_GATEWAY
def test_the_gateway_knows_of_a_failure_before_a_rank_is_touched(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    group.await_phase("serving")
    assert ask_as_gateway(group) == "ready up\n"
    answers: list[tuple[str, list[int]]] = []

    def ask(pause_s: float) -> None:
        answers.append((ask_as_gateway(group), group.runs))

    monkeypatch.setattr("node.supervision.coordination.time.sleep", ask)
    monkeypatch.setattr("node.supervision.gateway_agent.HEARD_S", 0.1)
    group.containers[1].state = "exited"
    group.await_phase("recovering")
    assert ("down\n", [1, 1]) in answers
    monkeypatch.undo()
    group.await_phase("serving")
    assert ask_as_gateway(group) == "ready up\n"


@BEHIND_GATEWAY
@pytest.mark.parametrize("get_path", [get_request_path, get_pause_path])
def test_what_is_ended_on_purpose_is_drained_first(
    group: Group, monkeypatch: pytest.MonkeyPatch, get_path: Callable[[str], str]
) -> None:
    monkeypatch.setattr("node.supervision.gateway_agent.EMPTY_S", 0.3)
    group.await_phase("serving")
    group.turn_until(lambda: group.supervisors[0].coordination.pulse.figures is not None)
    group.api.running = 1
    pulse = group.supervisors[0].coordination.pulse
    group.turn_until(lambda: pulse.figures.signs.running == 1)
    group.systems[0].put(get_path("qwen"), "")
    group.turn_until(lambda: ask_as_gateway(group) == "drain\n")
    for _ in range(40):
        group.turn()
    assert (group.phase, group.runs) == ("serving", [1, 1])
    assert {container.state for container in group.containers} == {"running"}
    group.api.running = 0
    group.await_phase("recovering", "paused")
    assert ask_as_gateway(group) == "down\n"


@BEHIND_GATEWAY
def test_whoever_ends_the_ranks_is_told_that_requests_are_over(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.supervision.gateway_agent.EMPTY_S", 0.3)
    group.await_phase("serving")
    path = get_drain_path("qwen")
    group.systems[0].put(path, "")
    group.turn_until(lambda: group.systems[0].get_state(path) is None)
    assert group.phase == "serving"
