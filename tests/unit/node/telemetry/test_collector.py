"""The collector: what it writes, and what it writes of what is gone, hangs or lies."""

from __future__ import annotations

import doctest
import re
import shutil
import subprocess
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from node.errors import StepError
from node.facts.reading import FactReader
from node.host.paths import TELEMETRY_CONFIG
from node.host.system import CommandResult, System
from node.readings import published_gpu
from node.readings.published_gpu import read_published
from node.telemetry import certificates, collector, links
from node.telemetry.collector import TEXTFILE, Collector, CollectorConfig, read_config
from node.telemetry.exposition import MetricFamily, MetricSample, render
from node.verbs import collect
from tests.support.fake_system import FakeSystem
from tests.unit.node.telemetry.test_readers import XID, answer_always, build_machine

CONFIG = CollectorConfig(15, ("enp1s0f0np0", "enP2p1s0f0np0"), {"models": "/models"})


def build_node(root: Path, **answers: CommandResult) -> FakeSystem:
    system = build_machine(root, journalctl=CommandResult(0, f"{XID}\n", ""), **answers)
    system.path("/models").mkdir()
    return system


def parse_samples(text: str) -> dict[str, float]:
    pairs = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


def test_a_healthy_node_as_metrics(tmp_path: Path) -> None:
    system = build_node(tmp_path)
    samples = parse_samples(Collector(system, CONFIG).collect())
    assert samples['sparkform_gpu_power_watts{gpu="0"}'] == 11.42
    assert samples['sparkform_gpu_utilization_ratio{gpu="0"}'] == 0.96
    assert samples['sparkform_gpu_sm_clock_hertz{gpu="0"}'] == 507e6
    assert samples['sparkform_gpu_throttled{gpu="0",reason="sw_power_cap"}'] == 1
    assert samples['sparkform_gpu_throttled{gpu="0",reason="hw_thermal"}'] == 0
    label = 'interface="enp1s0f0np0",hca="rocep1s0f0"'
    assert samples[f"sparkform_link_up{{{label}}}"] == 1
    assert samples[f"sparkform_link_speed_bytes_per_second{{{label}}}"] == 25e9
    assert samples['sparkform_link_expected{interface="enP2p1s0f0np0"}'] == 1, "gone"
    assert samples['sparkform_link_up{interface="enP2p1s0f0np0"}'] == 0, "gone"
    assert samples["sparkform_gpu_errors_total"] == 1
    assert samples["sparkform_unread_readings"] == 0
    state = system.get_state(TEXTFILE)
    assert state is not None
    assert state.mode == 0o644


def test_what_the_driver_says_in_its_need_is_unread_and_no_old_value_stays(tmp_path: Path) -> None:
    system = build_node(tmp_path)
    collector = Collector(system, CONFIG)
    assert "sparkform_gpu_power" in collector.collect()
    lost = CommandResult(15, "GPU is lost", "")
    system.script.commands[("nvidia-smi",)] = partial(answer_always, lost)
    text = collector.collect()
    assert "sparkform_gpu_power" not in text
    assert parse_samples(text)['sparkform_unread{what="gpu"}'] == 1
    assert parse_samples(text)["sparkform_unread_readings"] == 1


def test_links_that_cannot_be_read_are_not_down(tmp_path: Path, monkeypatch) -> None:
    """Neither all of them, nor one whose carrier is no answer."""
    system = build_node(tmp_path)
    system.put("/sys/class/net/enp1s0f0np0/carrier", "?")
    samples = parse_samples(Collector(system, CONFIG).collect())
    assert [name for name in samples if name.startswith("sparkform_link_up")] == [
        'sparkform_link_up{interface="enP2p1s0f0np0"}'
    ]
    assert samples['sparkform_unread{what="link enp1s0f0np0 is_up"}'] == 1

    def fail(reader: object) -> object:
        raise PermissionError(13, "Permission denied", links.ROOT)

    monkeypatch.setattr(links, "read", fail)
    samples = parse_samples(Collector(system, CONFIG).collect())
    assert [name for name in samples if name.startswith("sparkform_link")] == []
    assert samples['sparkform_unread{what="links"}'] == 1


def test_a_supervision_folder_that_cannot_be_read_ends_no_collector(
    tmp_path: Path, monkeypatch
) -> None:
    def fail(system: object) -> object:
        raise PermissionError(13, "Permission denied", "/var/lib/sparkform/supervision")

    monkeypatch.setattr(collector, "read_reports", fail)
    samples = parse_samples(Collector(build_node(tmp_path), CONFIG).collect())
    assert samples['sparkform_unread{what="supervision"}'] == 1
    assert samples['sparkform_gpu_power_watts{gpu="0"}'] == 11.42


def test_an_old_line_that_the_journal_forgets_is_no_new_error(tmp_path: Path, monkeypatch) -> None:
    system = build_node(tmp_path)
    monkeypatch.setattr(collector, "JOURNAL_INTERVAL_S", 0.0)
    watched = Collector(system, CONFIG)

    def count(journal: str) -> float:
        result = CommandResult(0, journal, "")
        system.script.commands[("journalctl",)] = partial(answer_always, result)
        return parse_samples(watched.collect())["sparkform_gpu_errors_total"]

    assert [count(f"{XID}\n" * number) for number in (3, 1, 2, 2)] == [3, 3, 4, 4]


DATES = "notBefore=Sep  1 12:00:00 2026 GMT\nnotAfter=Nov 30 12:00:00 2026 GMT\n"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            CommandResult(0, DATES, ""),
            {"start_timestamp_seconds": 1788264000, "expiry_timestamp_seconds": 1796040000},
        ),
        (CommandResult(1, "", "Could not read certificate"), None),
        (CommandResult(0, "notAfter=soon\n", ""), None),
    ],
)
def test_when_a_certificate_ends(
    tmp_path: Path, answer: CommandResult, expected: dict[str, float] | None
) -> None:
    """A file that is not there is no certificate yet; one that cannot be read is unread."""
    system = build_node(tmp_path)
    system.script.commands[("openssl",)] = partial(answer_always, answer)
    config = replace(CONFIG, certificates={"swarm": "/x.crt"})
    assert "certificate" not in Collector(system, config).collect()
    system.put("/x.crt", "PEM")
    samples = parse_samples(Collector(system, config).collect())
    label = '{name="swarm",path="/x.crt"}'
    found = {
        name.removeprefix("sparkform_certificate_").removesuffix(label): value
        for name, value in samples.items()
        if name.startswith("sparkform_certificate")
    }
    assert found == (expected or {})
    assert ('sparkform_unread{what="certificate swarm"}' in samples) == (expected is None)
    assert doctest.testmod(certificates).failed == 0


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_a_real_certificate_is_read(tmp_path: Path) -> None:
    path = str(tmp_path / "x.crt")
    make = ("openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x")
    key = str(tmp_path / "x.key")
    command = [*make, "-days", "10", "-keyout", key, "-out", path]
    subprocess.run(command, check=True, capture_output=True)
    life = certificates.read(FactReader(System(), time.monotonic() + 60), path)
    assert life is not None
    assert life.end_s - life.start_s == 10 * 86400
    assert abs(life.start_s - time.time()) < 3600


def test_what_the_gpu_shows_is_published_for_the_supervisors(tmp_path: Path) -> None:
    system = build_node(tmp_path)
    assert read_published(system) is None
    Collector(system, CONFIG).collect()
    published = read_published(system)
    assert published is not None
    assert published.gpus[0].power_w == 11.42
    assert 0 <= published.age_s < 600
    for text in ("", "{", '{"boot_s": 1}', "[]"):
        system.put(published_gpu.PATH, text)
        assert read_published(system) is None, text


def test_labels_are_escaped() -> None:
    family = MetricFamily("a", "gauge", "A.", (MetricSample(1.5, {"b": 'c"\\\nd'}),))
    assert render([family]) == '# HELP a A.\n# TYPE a gauge\na{b="c\\"\\\\\\nd"} 1.5\n'


def test_every_name_and_label_is_one_that_prometheus_takes(tmp_path: Path) -> None:
    system = build_node(tmp_path)
    names = parse_samples(Collector(system, CONFIG).collect())
    pattern = r'sparkform_[a-z0-9_]+(\{([a-z]+="[^"\n]*",?)+\})?'
    assert [name for name in names if not re.fullmatch(pattern, name)] == []


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_finds_nothing_to_say_of_the_metrics(tmp_path: Path) -> None:
    system = build_node(tmp_path)
    text = Collector(system, CONFIG).collect()
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
    system = build_node(tmp_path)
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
