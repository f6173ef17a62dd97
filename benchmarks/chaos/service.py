"""The supervised service on the simulated rack: `up` and what follows, and what its nodes show."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.chaos.records import SeenRun
from node.host.paths import SUPERVISION
from node.host.plain import as_list, as_mapping
from node.host.system import CommandResult
from node.host.typed_json import ShapeError, parse
from node.ranks.containers import NEVER, format_unix_time, parse_container
from node.ranks.supervisors import get_supervisor_unit
from node.supervision.node_hands import get_run_id
from node.supervision.state import SupervisionState
from sparkrack import commands, login
from sparkrack.demo.served import NAME
from sparkrack.demo.stack import CHECKOUT, RackStack
from sparkrack.engines import loading
from sparkrack.engines.images import Recipe
from sparkrack.host import Notify, ask, must
from sparkrack.layout import SimulatedNode, SimulatedRack

IMAGE = "sparkform.test/chaos-stand-in:1"
MODEL = "/srv/models/stand-in"
PORT = 8000
RUN_LIMIT_S = 600.0
LOOK_LIMIT_S = 15.0
PREVIEWS = 4
SHOWN = 4000
"""Of what a failed run has printed."""

UNCHANGED = ("same", "read", "refresh")
LOOK = f"""cat {SUPERVISION}/{NAME}/state.json 2>/dev/null; echo; echo ----
docker ps -aq --no-trunc --filter label=sparkform.service={NAME} | xargs -r docker inspect"""
LEFTOVERS = f"""docker ps -a --format '{{{{.Names}}}}' --filter label=sparkform.service
ls -d /etc/systemd/system/{get_supervisor_unit(NAME)} {SUPERVISION} 2>/dev/null
systemctl is-active -q '{get_supervisor_unit(NAME)}' && echo an active supervisor; true"""
EVIDENCE = f"""journalctl --no-pager -n 400 -u {get_supervisor_unit(NAME)} -u docker
cat {SUPERVISION}/{NAME}/*.json; docker ps -a; systemctl list-units --failed"""


class RunFailed(Exception):
    """A run of Pulumi, or an answer, that must come did not."""


@dataclass(frozen=True)
class NodeSight:
    """What a node shows: its supervisor's state, and the runs of its rank."""

    state: SupervisionState | None
    runs: tuple[SeenRun, ...]
    live: tuple[str, ...]


@dataclass(frozen=True)
class ChaosService:
    """A rank on each node. `share` of the memory changes where a run is to be a new one."""

    rack: SimulatedRack
    stack: RackStack
    shares: list[float] = field(default_factory=lambda: [0.3])

    @property
    def hosts(self) -> list[str]:
        return [node.hostname for node in self.rack.nodes]

    @property
    def url(self) -> str:
        return f"http://{self.rack.nodes[0].address}:{PORT}"

    def install(self, notify: Notify) -> None:
        """The engine's image and a folder that stands for the model, and a first `up`."""
        overlay = Path(__file__).parent / "engine"
        loading.load(self.rack, Recipe(IMAGE, overlay, {}, {}), notify)
        for node in self.rack.nodes:
            script = f"sudo mkdir -p {MODEL} && sudo touch {MODEL}/config.json"
            must(login.build_ssh_command(self.rack.name, node, [script]))
        self.stack.prepare()
        argv, environment = self.stack.init_argv(), self.stack.build_environment()
        subprocess.run(argv, cwd=self.stack.folder, env=environment, check=True)
        self.up()

    def declare(self) -> None:
        self.stack.declare(self.rack.name, build_block(len(self.rack.nodes), self.shares[0]))

    def change(self) -> None:
        """Something of the service that only a new run takes up."""
        self.shares[0] = 0.25 if self.shares[0] == 0.3 else 0.3
        self.declare()

    def up(self) -> None:
        self.declare()
        self._run("up", "--yes", "--skip-preview")

    def destroy(self) -> None:
        self._run("destroy", "--yes", "--skip-preview")

    def list_differences(self) -> tuple[str, ...]:
        """What a preview would change. One that fails says nothing of that, and is tried again."""
        argv = self.stack.build_argv("preview", "--json")
        for _ in range(PREVIEWS):
            result = complete(self._start(argv, stderr=subprocess.PIPE))
            if result.code == 0:
                return list_planned_changes(result.out)
        raise RunFailed(f"{PREVIEWS} previews failed, the last one:\n{result.err[-SHOWN:]}")

    def start_up(self) -> subprocess.Popen[str]:
        """An `up` that goes on, in a process group of its own."""
        return self._start(self.stack.build_argv("up", "--yes", "--skip-preview"))

    def recover(self) -> None:
        """What Pulumi asks for after its engine was killed (README), and an `up`."""
        cancel = [self.stack.build_argv("cancel")[0], "cancel", "--yes", "--stack", self.stack.name]
        complete(self._start(cancel))
        self._run("refresh", "--clear-pending-creates", "--yes", "--skip-preview")
        self.up()

    def _run(self, command: str, *flags: str) -> None:
        result = complete(self._start(self.stack.build_argv(command, *flags)))
        if result.code:
            raise RunFailed(f"`pulumi {command}` ended with {result.code}:\n{result.out[-SHOWN:]}")

    def _start(self, argv: Sequence[str], stderr: int = subprocess.STDOUT) -> subprocess.Popen[str]:
        return subprocess.Popen(
            argv,
            cwd=CHECKOUT,
            env=self.stack.build_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )

    def find_node(self, host: str) -> SimulatedNode:
        return next(node for node in self.rack.nodes if node.hostname == host)

    def run_on(self, host: str, script: str, limit_s: float = LOOK_LIMIT_S) -> CommandResult:
        """Past the network, as a person at the machine would."""
        argv = commands.build_node_command(self.find_node(host), ["sh", "-c", script])
        return ask(argv, timeout_s=limit_s)

    def look(self) -> dict[str, NodeSight | None]:
        """By host name, all at once; None where a node does not answer."""
        with ThreadPoolExecutor(max_workers=len(self.hosts)) as pool:
            return dict(zip(self.hosts, pool.map(self._look_at, self.hosts), strict=True))

    def _look_at(self, host: str) -> NodeSight | None:
        answer = self.run_on(host, LOOK)
        state_text, divider, containers_text = answer.out.partition("----\n")
        if answer.code or not divider:
            return None
        with suppress(ValueError):
            return build_view(host, state_text, containers_text)
        return None

    def list_leftovers(self) -> tuple[str, ...]:
        """Lines about what is of a service, on each node."""
        return tuple(
            f"{host}: {line}"
            for host in self.hosts
            for line in self.run_on(host, LEFTOVERS).out.splitlines()
        )

    def keep_evidence(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for host in self.hosts:
            (folder / f"{host}.log").write_text(self.run_on(host, EVIDENCE).out)


def complete(process: subprocess.Popen[str]) -> CommandResult:
    """What it printed, once it has ended. It does not outlive the one who waits for it. Raises
    RunFailed where that takes too long."""
    try:
        out, err = process.communicate(timeout=RUN_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise RunFailed(f"a run took more than {RUN_LIMIT_S:.0f} s: {process.args!r}") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return CommandResult(process.returncode, out, err or "")


def list_planned_changes(preview: str) -> tuple[str, ...]:
    """Of `pulumi preview --json`: operation and resource of each step that changes something."""
    steps = as_list(as_mapping(json.loads(preview)).get("steps"))
    changes = [step for step in map(as_mapping, steps) if step.get("op") not in UNCHANGED]
    return tuple(f"{step.get('op')} {step.get('urn')}" for step in changes)


def build_block(ranks: int, share: float) -> Mapping[str, object]:
    """The service's block of the stack file. Restarts are counted within a minute, so that rounds
    do not add up to a service that was given up."""
    return {
        "engine": "vllm",
        "runtime": "container",
        "image": IMAGE,
        "modelPath": MODEL,
        "servedName": "stand-in",
        "port": PORT,
        "tensorParallel": ranks,
        "gpuMemoryUtilization": share,
        "maxRestarts": 100,
        "stallSeconds": 50,
        "restartWindowSeconds": 60,
    }


def build_view(host: str, state_text: str, containers_text: str) -> NodeSight:
    """Of state.json and `docker inspect`. Pure."""
    state = None
    with suppress(ValueError, ShapeError):
        state = parse(SupervisionState, json.loads(state_text), "state")
    containers = json.loads(containers_text or "[]")
    runs = tuple(run for entry in containers for run in _list_runs(host, state, entry))
    live = [
        as_mapping(as_mapping(entry).get("State")).get("Running") is True for entry in containers
    ]
    ids = tuple(run.run_id for run, is_live in zip(runs, live, strict=False) if is_live)
    return NodeSight(state, runs, ids)


def _list_runs(
    host: str, state: SupervisionState | None, entry: dict[str, object]
) -> Iterator[SeenRun]:
    """The newest run of a container that was started."""
    rank = parse_container(entry)
    if rank is None or not rank.is_started:
        return
    recorded = state.member.run if state and state.token == rank.token else None
    run_id = get_run_id(rank)
    ended = str(as_mapping(entry.get("State")).get("FinishedAt") or NEVER)
    ended_s = max(0.0, float(format_unix_time(ended)))
    is_recorded = recorded is not None and recorded.run_id == run_id
    yield SeenRun(
        node=host,
        run_id=run_id,
        token=rank.token,
        epoch=recorded.epoch if recorded is not None and is_recorded else None,
        started=rank.started_s,
        alive_until=max(ended_s, rank.started_s) if rank.has_ended else rank.started_s,
    )
