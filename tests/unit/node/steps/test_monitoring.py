"""telemetry and monitoring: what they write, reload, and take back byte for byte."""

from __future__ import annotations

import json

import pytest

from node.host.paths import MONITORING, TELEMETRY_CONFIG
from node.host.system import CommandResult, HttpAnswer
from node.steps import StepRequest, monitoring, telemetry
from node.steps.launch_files import WantedFile, WantedSecret
from tests.support.fake_spark import FakeSpark, claim_node
from tests.support.node_steps import (
    list_differences,
    run_apply,
    run_lives,
    take_snapshot,
    undo_all,
)

COLLECT = telemetry.Want(15, ("enp1s0f0np0",), {"models": "/srv/models"})
WEBHOOK = f"{MONITORING}/alertmanager/secrets/webhook"
RULES = f"{MONITORING}/prometheus/rules.yml"
FILES = monitoring.Want(
    files=(WantedFile(RULES, "0644", "groups: []\n"),),
    secrets=(WantedSecret("monitoringWebhook", WEBHOOK, "0600"),),
    containers=("sparkform-monitoring-prometheus",),
)
SECRETS = json.dumps({"monitoringWebhook": "https://alerts.example/CANARY"})


class Systemd:
    """One unit that runs, or not."""

    def __init__(self, spark: FakeSpark) -> None:
        self.runs, self.starts = False, 0
        commands = spark.system.script.commands
        commands[("systemctl", "is-active")] = lambda argv, stdin: CommandResult(
            0 if self.runs else 3, "active\n" if self.runs else "inactive\n", ""
        )
        commands[("systemctl", "restart", telemetry.UNIT)] = self.restart
        commands[("systemctl", "stop", telemetry.UNIT)] = self.stop
        commands[("systemctl", "daemon-reload")] = lambda argv, stdin: CommandResult(0, "", "")
        commands[("systemctl", "is-system-running")] = lambda argv, stdin: CommandResult(0, "", "")
        spark.extra_states.append(lambda: self.runs)

    def restart(self, argv: list[str], stdin: str) -> CommandResult:
        self.runs, self.starts = True, self.starts + 1
        return CommandResult(0, "", "")

    def stop(self, argv: list[str], stdin: str) -> CommandResult:
        self.runs = False
        return CommandResult(0, "", "")


@pytest.fixture
def hangups(spark: FakeSpark) -> list[str]:
    """What was sent to containers."""
    sent: list[str] = []

    def answer(method: str, path: str, body: object) -> HttpAnswer:
        sent.append(path)
        return HttpAnswer(204, None)

    name = FILES.containers[0]
    spark.system.script.requests[("POST", f"/containers/{name}/kill")] = answer
    return sent


def test_a_collector_is_started_once_and_taken_back(spark: FakeSpark) -> None:
    before_spark = take_snapshot(spark)
    systemd = Systemd(spark)
    before = take_snapshot(spark)
    assert before_spark != before, "the unit counts"
    claim_node(spark)
    assert list_differences(telemetry.SPEC, spark.system, COLLECT) == [
        "configuration of the collector is missing or changed, will be written",
        "collector is missing, will be started",
    ]
    run_apply(spark.system, "telemetry", COLLECT)
    assert list_differences(telemetry.SPEC, spark.system, COLLECT) == []
    assert run_apply(spark.system, "telemetry", COLLECT, run=2) == ["nothing to do"]
    assert systemd.starts == 1
    undo_all(spark.system)
    assert take_snapshot(spark) == before


def test_a_collector_that_was_stopped_or_changed_is_put_right(spark: FakeSpark) -> None:
    systemd = Systemd(spark)
    claim_node(spark)
    run_apply(spark.system, "telemetry", COLLECT)
    systemd.runs = False
    assert list_differences(telemetry.SPEC, spark.system, COLLECT) == [
        "collector is stopped, will be started"
    ]
    spark.system.put(telemetry.UNIT_FILE, "[Service]\nExecStart=/bin/true\n")
    spark.system.put(TELEMETRY_CONFIG, "{}")
    assert len(list_differences(telemetry.SPEC, spark.system, COLLECT)) == 2
    run_apply(spark.system, "telemetry", COLLECT, run=2)
    assert list_differences(telemetry.SPEC, spark.system, COLLECT) == []
    assert systemd.starts == 2


def test_a_collectors_step_killed_anywhere_converges_and_comes_back(make_spark) -> None:
    def act(spark: FakeSpark) -> None:
        Systemd(spark)
        claim_node(spark)
        run_apply(spark.system, "telemetry", COLLECT)

    for spark in run_lives(make_spark, act):
        run_apply(spark.system, "telemetry", COLLECT, run=2)
        assert list_differences(telemetry.SPEC, spark.system, COLLECT) == []
        undo_all(spark.system)
        assert spark.system.get_state(telemetry.UNIT_FILE) is None
        assert spark.system.get_state(TELEMETRY_CONFIG) is None


def test_a_changed_file_is_written_and_its_reader_told_once(spark, hangups) -> None:
    before = take_snapshot(spark)
    claim_node(spark)
    run_apply(spark.system, "monitoring", FILES, SECRETS)
    assert spark.system.read(RULES) == "groups: []\n"
    state = spark.system.get_state(WEBHOOK)
    assert state is not None
    assert state.mode == 0o600
    assert hangups == ["/containers/sparkform-monitoring-prometheus/kill?signal=HUP"]
    assert run_apply(spark.system, "monitoring", FILES, SECRETS, run=2) == ["nothing to do"]
    spark.system.put(RULES, "groups: [x]\n")
    assert list_differences(monitoring.SPEC, spark.system, FILES) == [
        f"{RULES} is changed, will be written"
    ]
    run_apply(spark.system, "monitoring", FILES, SECRETS, run=3)
    assert len(hangups) == 2
    undo_all(spark.system)
    assert take_snapshot(spark) == before


def test_what_is_no_longer_declared_goes(spark, hangups) -> None:
    claim_node(spark)
    run_apply(spark.system, "monitoring", FILES, SECRETS)
    smaller = monitoring.Want(FILES.files, (), FILES.containers)
    assert list_differences(monitoring.SPEC, spark.system, smaller) == [
        f"{WEBHOOK} is not declared any more, will be removed"
    ]
    run_apply(spark.system, "monitoring", smaller, run=2)
    assert spark.system.get_state(WEBHOOK) is None


def test_the_webhook_is_in_no_report_and_no_receipt(spark, hangups) -> None:
    claim_node(spark)
    lines = run_apply(spark.system, "monitoring", FILES, SECRETS)
    observed = repr(monitoring.observe(spark.system, StepRequest()))
    others = [
        path.read_text()
        for path in spark.system.path("/var/lib/sparkform").rglob("*")
        if path.is_file() and path.name != "webhook"
    ]
    assert "CANARY" in (spark.system.read(WEBHOOK) or "")
    assert [text for text in (*lines, observed, *others) if "CANARY" in text] == []


def test_a_container_that_does_not_run_is_no_failure(spark: FakeSpark) -> None:
    claim_node(spark)
    spark.system.script.requests[("POST", f"/containers/{FILES.containers[0]}/kill")] = (
        lambda method, path, body: HttpAnswer(409, {"message": "is not running"})
    )
    lines = run_apply(spark.system, "monitoring", FILES, SECRETS)
    assert lines == [f"{RULES}: written", f"{WEBHOOK}: written"]
