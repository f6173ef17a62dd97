"""Kills at one point of a run of the node program, and what a user does afterwards."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.deployment import RUN_LIMIT_S, Deployment
from tests.support.pausing import Pause, Point, Stop, plant_stand_in
from tests.support.rack import RackHandle

ENGINE, PROCESS, REBOOT = "engine", "process", "reboot"
Kill = Callable[[subprocess.Popen[str], Pause, Stop], None]


def _kill_engine(engine: subprocess.Popen[str], pause: Pause, stop: Stop) -> None:
    """SIGKILL: what runs on the node runs on, which here means that it stands still for now."""
    engine.kill()


def _kill_process(engine: subprocess.Popen[str], pause: Pause, stop: Stop) -> None:
    pause.signal(stop, "KILL")


def _reboot(engine: subprocess.Popen[str], pause: Pause, stop: Stop) -> None:
    pause.rack.break_("reboot", pause.host)
    pause.rack.mend("reboot", pause.host)


KILLS: Mapping[str, Kill] = {ENGINE: _kill_engine, PROCESS: _kill_process, REBOOT: _reboot}


@dataclass
class Victim:
    """A stack, and the node on which its run is killed."""

    deployment: Deployment
    rack: RackHandle
    host: str

    def kill_and_recover(self, command: str, point: Point, kind: str, recovery: str) -> str:
        """Kill `command` there, then run `recovery`, which must succeed. Returns the effect that
        did not come about."""
        with plant_stand_in(self.rack, self.host) as pause:
            pause.write_order(point)
            with self.deployment.start(command) as engine:
                stop = self._await_stop(pause, engine)
                KILLS[kind](engine, pause, stop)
                assert engine.wait(RUN_LIMIT_S) != 0, "the run must have failed"
            if kind == ENGINE:
                self.deployment.recover()
            self._finish(recovery, pause, stop if kind == ENGINE else None)
        return stop.before

    def _await_stop(self, pause: Pause, engine: subprocess.Popen[str]) -> Stop:
        with self._quote_output():
            return pause.await_stop(engine)

    @contextmanager
    def _quote_output(self) -> Iterator[None]:
        """What the run has said stands beside what was missed."""
        try:
            yield
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.deployment.read_output()}") from None

    def _finish(self, command: str, pause: Pause, stopped: Stop | None) -> None:
        earlier_runs = pause.count_runs()
        with self.deployment.start(command) as engine:
            if stopped:
                # The killed engine's run goes on beside the first one of this command.
                with self._quote_output():
                    pause.await_another_run(earlier_runs)
                pause.signal(stopped, "CONT")
            assert engine.wait(RUN_LIMIT_S) == 0, self.deployment.read_output()
