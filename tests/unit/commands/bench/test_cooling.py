"""The wait for cool GPUs: until the hottest is below, not for ever, and not for what is unread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from sparkform.bench.node_samples import NodeSample
from sparkform.commands.bench.cooling import Cooling
from tests.support.status_documents import build_document, build_gpu, build_telemetry


@dataclass
class FakeClock:
    """Time passes by sleeping; a GPU loses a degree each second."""

    now_s: float = 0.0
    lines: list[str] = field(default_factory=list)

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s

    def now(self) -> float:
        return self.now_s


@dataclass(frozen=True)
class CoolingRack:
    """Nodes with the temperatures that they begin with; None is not read."""

    clock: FakeClock
    temperatures: dict[str, float | None]

    def read_newest(self) -> dict[str, NodeSample]:
        return {sample.node: sample for sample in self._list_samples()}

    def _list_samples(self) -> Iterator[NodeSample]:
        for node, first_c in self.temperatures.items():
            now_c = None if first_c is None else max(first_c - self.clock.now_s, 40.0)
            gpus = () if now_c is None else (build_gpu(temperature_c=now_c),)
            document = build_document(0, telemetry=build_telemetry(gpus=gpus))
            yield NodeSample(node, self.clock.now_s, document)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def wait(clock: FakeClock, limit_c: float | None, **temperatures: float | None) -> tuple[str, ...]:
    rack = CoolingRack(clock, dict(temperatures))
    cooling = Cooling(limit_c, clock.lines.append, 60.0, clock.sleep, clock.now)
    return cooling.wait(rack, list(temperatures))


def test_the_hottest_node_is_waited_for(clock: FakeClock) -> None:
    assert wait(clock, 50.0, first=48.0, second=60.0) == ()
    assert clock.now_s == 11.0
    assert clock.lines[0] == "\rcooling: second has 60 °C, waiting for 50"


def test_cool_nodes_are_not_waited_for_nor_any_without_a_limit(clock: FakeClock) -> None:
    assert wait(clock, 50.0, first=49.9) == ()
    assert wait(clock, None, first=90.0) == ()
    assert clock.now_s == 0.0


def test_a_node_that_stays_hot_is_measured_with_a_warning(clock: FakeClock) -> None:
    (warning,) = wait(clock, 30.0, first=70.0)
    assert clock.now_s == 61.0
    assert warning.startswith("first had 40 °C when a run began: within 60 s it did not cool below")


def test_an_unread_temperature_is_said_to_be_unknown(clock: FakeClock) -> None:
    (warning,) = wait(clock, 50.0, first=45.0, second=None)
    assert warning == "second: its temperature is unknown, so it was not waited for."
