"""Stop a run of the node program on a node before its n-th effect, to kill it or its node there."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from sparkrack import commands
from tests.support import pausing_python
from tests.support.rack import RackHandle
from tests.support.waiting import wait_until

# sudo's secure_path begins with it; the digest sees what is forgotten there.
STAND_IN_PATH = "/usr/local/sbin/python3"
LIMIT_S = 120.0


@dataclass(frozen=True)
class Point:
    """Which run of the node program (verb and step), and before which of its effects: `later`
    effects after the one that is the `times`-th to hold `text`."""

    run: tuple[str, ...]
    text: str
    times: int = 1
    later: int = 0


@dataclass(frozen=True)
class Stop:
    """A stopped process, its id as the node knows it, and the effect that it is about to have."""

    pid: int
    before: str


@dataclass(frozen=True)
class Pause:
    """What a test tells and asks the stand-in on one node."""

    rack: RackHandle
    host: str

    def write_order(self, point: Point) -> None:
        """Stop the next run that this is about."""
        folder = pausing_python.FOLDER
        script = f"rm -rf {folder}; mkdir -p {folder}; cat > {pausing_python.ORDER}"
        self._run_in_node(script, json.dumps(asdict(point)))

    def await_stop(self, engine: subprocess.Popen[str]) -> Stop:
        """Wait until the run that the engine started stands still."""

        def is_over() -> bool:
            return engine.poll() is not None or self._read(pausing_python.STOPPED) is not None

        wait_until(is_over, "nothing stopped", LIMIT_S)
        stop_text = self._read(pausing_python.STOPPED)
        assert stop_text, "the engine ended without coming to that point"
        return Stop(**json.loads(stop_text))

    def count_runs(self) -> int:
        """How many runs that change something have begun since the order."""
        text = self._read(pausing_python.RUNS) or ""
        return sum(not line.startswith("observe") for line in text.splitlines())

    def await_another_run(self, earlier_runs: int) -> None:
        """Until a further run has begun beside the stopped one, or waits for it in a shell."""
        wait_until(
            lambda: self.count_runs() > earlier_runs or self._is_flock_running(),
            f"no further run began on {self.host}",
            LIMIT_S,
        )

    def _is_flock_running(self) -> bool:
        processes = Path(f"/proc/{self._get_first_process()}/root/proc")
        return any(_read_name(comm) == "flock" for comm in processes.glob("[0-9]*/comm"))

    def signal(self, stop: Stop, name: str) -> None:
        """sudo stops itself when its command is stopped, so it must go on as well."""
        sudo = f"$(awk '/^PPid:/ {{print $2}}' /proc/{stop.pid}/status)"
        self._run_in_node(f"sudo={sudo}; kill -{name} {stop.pid}; kill -CONT $sudo")

    def _read(self, path: str) -> str | None:
        """From outside, through the first process of the node: a look costs no login."""
        try:
            return Path(f"/proc/{self._get_first_process()}/root{path}").read_text()
        except FileNotFoundError:
            return None

    def _get_first_process(self) -> int:
        container = self.rack.find_node(self.host).container
        command = [commands.DOCKER, "inspect", "--format={{.State.Pid}}", container]
        return int(subprocess.check_output(command, text=True))

    def _run_in_node(self, script: str, stdin: str = "") -> None:
        prefix = [commands.DOCKER, "exec", "-i", self.rack.find_node(self.host).container]
        subprocess.run([*prefix, "sh", "-ec", script], input=stdin, text=True, check=True)


@contextmanager
def plant_stand_in(rack: RackHandle, host: str) -> Iterator[Pause]:
    """The stand-in lies on the node as long as the block runs."""
    text = Path(pausing_python.__file__).read_text()
    rack.must(host, f"sudo install -m 0755 /dev/stdin {STAND_IN_PATH}", text)
    try:
        yield Pause(rack, host)
    finally:
        rack.must(host, f"sudo rm -rf {STAND_IN_PATH} {pausing_python.FOLDER}")


def _read_name(comm: Path) -> str:
    try:
        return comm.read_text().strip()
    except OSError:
        return ""  # it ended while we looked
