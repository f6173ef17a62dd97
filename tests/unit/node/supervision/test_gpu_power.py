"""The power of a node's GPU: the collector's reading where it runs, else one of its own."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from node.host.system import CommandResult, System
from node.readings import published_gpu
from node.readings.published_gpu import publish
from node.supervision import gpu_power
from node.supervision.gpu_power import PowerMeter
from tests.support.fake_system import FakeSystem
from tests.support.status_documents import build_gpu
from tests.unit.node.telemetry.test_readers import GB10_LINE, answer_always


def build_node(root: Path, code: int = 0, text: str = GB10_LINE) -> FakeSystem:
    system = FakeSystem(root)
    answer = partial(answer_always, CommandResult(code, text, ""))
    system.script.commands[("nvidia-smi",)] = answer
    return system


def publish_power(system: System, power_w: float | None) -> None:
    publish(system, (replace(build_gpu(), power_w=power_w),))


@pytest.mark.parametrize(
    ("code", "text", "power_w"),
    [
        (0, GB10_LINE, 11.42),
        (0, GB10_LINE + GB10_LINE, 22.84),
        (0, GB10_LINE.replace("11.42", "[N/A]"), None),
        (0, GB10_LINE + GB10_LINE.replace("11.42", "[N/A]"), None),
        (6, "No devices were found", None),
        (9, "", None),
    ],
)
def test_the_meter_says_nothing_where_the_driver_does_not(
    tmp_path: Path, code: int, text: str, power_w: float | None
) -> None:
    meter = PowerMeter(build_node(tmp_path, code, text))
    meter.read()
    assert (meter.power_w, meter.take_new(), meter.take_new()) == (power_w, power_w, None)


def test_a_published_reading_serves_once_and_starts_no_process(tmp_path: Path) -> None:
    system = build_node(tmp_path)
    meter = PowerMeter(system)
    publish_power(system, 40.0)
    meter.look()
    assert (meter.take_new(), meter.take_new()) == (40.0, None)
    meter.look()
    assert meter.take_new() is None, "the same reading"
    publish_power(system, 60.0)
    meter.look()
    assert meter.take_new() == 60.0
    assert system.script.calls == []


def test_without_a_published_reading_it_reads_itself(tmp_path: Path) -> None:
    system = build_node(tmp_path)
    meter = PowerMeter(system)
    meter.look()
    assert system.script.calls == [], "not at once"
    meter.taken_s -= gpu_power.READ_EVERY_S
    meter.look()
    assert meter.take_new() == 11.42
    meter.look()
    assert len(system.script.calls) == 1


def test_a_collector_that_hangs_is_not_believed(tmp_path: Path, monkeypatch) -> None:
    """An old reading says nothing of now, and after a while the supervisor reads itself."""
    system = build_node(tmp_path)
    meter = PowerMeter(system)
    publish_power(system, 40.0)
    now_s = published_gpu.read_boot_time_s() + 60
    monkeypatch.setattr(published_gpu, "read_boot_time_s", lambda: now_s)
    meter.look()
    assert (meter.take_new(), system.script.calls) == (None, [])
    meter.taken_s -= gpu_power.PUBLISHED_EVERY_S
    meter.look()
    assert meter.take_new() == 11.42
