"""The collector: what it writes, and what it writes of what is gone, hangs or lies."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import pytest

from node.errors import StepError
from node.host.paths import TELEMETRY_CONFIG
from node.host.system import CommandResult
from node.host.waiting import wait_until
from node.telemetry.background import BackgroundReading
from node.telemetry.collector import TEXTFILE, Collector, CollectorConfig, read_config
from node.telemetry.exposition import MetricFamily, MetricSample, render
from node.telemetry.measure import Unread
from node.verbs import collect
from tests.support.fake_system import FakeSystem
from tests.unit.node.telemetry.test_readers import GB10_LINE, XID, build_machine

CONFIG = CollectorConfig(15, ("enp1s0f0np0", "enP2p1s0f0np0"), {"models": "/models"})


class LoopingSystem(FakeSystem):
    """`nvidia-smi --loop` is a shell script that stays."""

    def start(
        self, argv: Sequence[str], environment: Mapping[str, str], output: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        self.script.calls.append(list(argv))
        script = self.read("/smi") or ""
        return subprocess.Popen(["sh", "-c", script], stdout=output, stderr=output)


def build_looping(root: Path, script: str) -> LoopingSystem:
    fake = build_machine(root, journalctl=CommandResult(0, f"{XID}\n", ""))
    system = LoopingSystem(fake.root, fake.script)
    system.put("/smi", script)
    system.path("/models").mkdir()
    return system


def parse_samples(text: str) -> dict[str, float]:
    pairs = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


def collect_until(collector: Collector, what: str) -> dict[str, float]:
    samples: dict[str, float] = {}

    def is_there() -> bool:
        samples.clear()
        samples.update(parse_samples(collector.collect()))
        return any(what in name for name in samples)

    assert wait_until(is_there, 10, 0.05), samples
    return samples


def test_a_healthy_node_as_metrics(tmp_path: Path) -> None:
    system = build_looping(tmp_path, f"echo '{GB10_LINE.strip()}'; exec sleep 60")
    collector = Collector(system, CONFIG)
    try:
        samples = collect_until(collector, "gpu_power_watts")
        assert samples['sparkform_gpu_power_watts{gpu="0"}'] == 11.42
        assert samples['sparkform_gpu_utilization_ratio{gpu="0"}'] == 0.96
        assert samples['sparkform_gpu_sm_clock_hertz{gpu="0"}'] == 507e6
        assert samples['sparkform_gpu_throttled{gpu="0",reason="sw_power_cap"}'] == 1
        assert samples['sparkform_gpu_throttled{gpu="0",reason="hw_thermal"}'] == 0
        label = 'interface="enp1s0f0np0",hca="rocep1s0f0"'
        assert samples[f"sparkform_link_up{{{label}}}"] == 1
        assert samples[f"sparkform_link_speed_bytes_per_second{{{label}}}"] == 25e9
        assert samples['sparkform_link_expected{interface="enP2p1s0f0np0"}'] == 1, "gone"
        assert samples["sparkform_gpu_errors_total"] == 1
        assert samples["sparkform_unread_readings"] == 0
        assert system.read(TEXTFILE) is not None
        state = system.get_state(TEXTFILE)
        assert state is not None
        assert state.mode == 0o644
        assert [call[0] for call in system.script.calls].count("nvidia-smi") == 1, "one process"
    finally:
        collector.end()


def test_what_ends_says_why_and_no_old_value_stays(tmp_path: Path) -> None:
    collector = Collector(build_looping(tmp_path, "echo 'GPU is lost'; exit 15"), CONFIG)
    samples = collect_until(collector, 'sparkform_unread{what="gpu"}')
    collector.end()
    assert not any(name.startswith("sparkform_gpu_power") for name in samples)
    assert samples["sparkform_unread_readings"] == 1


def test_a_loop_that_hangs_is_unread_after_three_intervals(tmp_path: Path, monkeypatch) -> None:
    system = build_looping(tmp_path, f"echo '{GB10_LINE.strip()}'; exec sleep 60")
    collector = Collector(system, CONFIG)
    try:
        collect_until(collector, "gpu_power_watts")
        now_s = time.monotonic() + 46
        monkeypatch.setattr(time, "monotonic", lambda: now_s)
        samples = parse_samples(collector.collect())
        assert samples['sparkform_unread{what="gpu"}'] == 1
    finally:
        collector.end()


def test_a_disk_that_hangs_keeps_nothing_else_from_being_read() -> None:
    release = threading.Event()
    reading = BackgroundReading(lambda: release.wait(30), 0.05)
    assert reading.get() == Unread("no answer within 0.05 s")
    before = threading.active_count()
    assert reading.get() == Unread("no answer within 0.05 s")
    assert threading.active_count() == before, "no thread is started beside one that hangs"
    release.set()
    assert wait_until(lambda: reading.get() is True, 5, 0.05)


def test_labels_are_escaped() -> None:
    family = MetricFamily("a", "gauge", "A.", (MetricSample(1.5, {"b": 'c"\\\nd'}),))
    assert render([family]) == '# HELP a A.\n# TYPE a gauge\na{b="c\\"\\\\\\nd"} 1.5\n'


def test_every_name_and_label_is_one_that_prometheus_takes(tmp_path: Path) -> None:
    system = build_looping(tmp_path, f"echo '{GB10_LINE.strip()}'; exec sleep 60")
    collector = Collector(system, CONFIG)
    try:
        names = collect_until(collector, "gpu_power_watts")
    finally:
        collector.end()
    pattern = r'sparkform_[a-z0-9_]+(\{([a-z]+="[^"\n]*",?)+\})?'
    assert [name for name in names if not re.fullmatch(pattern, name)] == []


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_finds_nothing_to_say_of_the_metrics(tmp_path: Path) -> None:
    system = build_looping(tmp_path, f"echo '{GB10_LINE.strip()}'; exec sleep 60")
    collector = Collector(system, CONFIG)
    try:
        collect_until(collector, "gpu_power_watts")
        text = system.read(TEXTFILE)
    finally:
        collector.end()
    command = ["promtool", "check", "metrics"]
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_a_readable_config_it_says_what_to_do(tmp_path: Path) -> None:
    system = build_machine(tmp_path)
    with pytest.raises(StepError, match="`pulumi up` writes it"):
        collect.main(system, [], "")
    system.put(TELEMETRY_CONFIG, '{"interval_s": "x", "links": [], "disks": {}}')
    with pytest.raises(StepError, match="interval_s: must be int"):
        read_config(system)
    with pytest.raises(StepError, match="takes no argument"):
        collect.main(system, ["x"], "")


def test_it_ends_where_a_newer_program_lies_in_its_place(tmp_path: Path, monkeypatch) -> None:
    system = build_looping(tmp_path, f"echo '{GB10_LINE.strip()}'; exec sleep 60")
    system.put(TELEMETRY_CONFIG, '{"interval_s": 15, "links": [], "disks": {}}')
    program = tmp_path / "node.pyz"
    program.write_text("old")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            program.unlink()
            program.write_text("new and longer")

    monkeypatch.setattr("sys.argv", [str(program), "collect"])
    monkeypatch.setattr(time, "sleep", pause)
    assert collect.main(system, [], "") == ["The node program has changed; the collector ends."]
    assert len(pauses) == 3
    assert system.read(TEXTFILE) is not None
