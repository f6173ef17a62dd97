"""telemetry and monitoring: what they write, reload, and take back byte for byte."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from node.changes.declared_files import WantedFile, WantedSecret
from node.errors import StepError
from node.host.cached_system import CachedSystem
from node.host.paths import MONITORING, TELEMETRY_CONFIG
from node.host.system import CommandResult, HttpAnswer
from node.steps import STEPS, StepRequest, monitoring, telemetry
from tests.support.fake_spark import FakeSpark, claim_node
from tests.support.fake_system import ANY_REQUEST
from tests.support.node_steps import (
    list_differences,
    run_apply,
    run_lives,
    take_snapshot,
    undo_all,
)

EXPORTER = "sparkform-monitoring-node-exporter"
DISKS = {"models": "/srv/models", "docker": "/var/lib/docker", "root": "/"}
COLLECT = telemetry.Want(15, ("enp1s0f0np0",), DISKS, EXPORTER, certificates={"b": "/b", "a": "/a"})
WEBHOOK = f"{MONITORING}/alertmanager/secrets/webhook"
RULES = f"{MONITORING}/prometheus/rules.yml"
FILES = monitoring.Want(
    files=(WantedFile(RULES, "0644", "groups: []\n"),),
    secrets=(WantedSecret("monitoringWebhook", WEBHOOK, "0600"),),
    containers=("sparkform-monitoring-prometheus",),
    readers=("sparkform-monitoring-prometheus",),
    volumes=("sparkform-prometheus",),
    keeps_data=False,
)
SECRETS = json.dumps({"monitoringWebhook": "https://alerts.example/CANARY"})


class FakeDocker:
    """Volumes and containers by name. A container has our label, or is another's; it runs, unless
    `states` says otherwise."""

    def __init__(self, spark: FakeSpark) -> None:
        self.volumes: set[str] = set()
        self.containers: dict[str, dict[str, str]] = {}
        self.states: dict[str, str] = {}
        self.sent: list[str] = []
        spark.extra_states.append(lambda: [sorted(self.volumes), self.containers])
        spark.system.script.requests[ANY_REQUEST] = self.answer

    def answer(self, method: str, path: str, body: object) -> HttpAnswer:
        kind, _, name = path.partition("?")[0].lstrip("/").partition("/")
        if (method, name) == ("GET", "") and kind == "volumes":
            return HttpAnswer(200, {"Volumes": [{"Name": name} for name in sorted(self.volumes)]})
        if (method, kind, name) == ("POST", "volumes", "create"):
            assert isinstance(body, dict)
            self.volumes.add(str(body["Name"]))
            return HttpAnswer(201, {})
        if (kind, name) == ("containers", "json"):
            return HttpAnswer(200, self.list_containers(path))
        if name.endswith("/kill"):
            self.sent.append(path)
            return HttpAnswer(204, None)
        if method == "POST":
            return self.change_state(*name.split("/"))
        return self.answer_of(method, kind, name.removesuffix("/json"))

    def list_containers(self, path: str) -> list[dict[str, object]]:
        """By the filters of the request, as Docker has it."""
        filters = json.loads(parse_qs(urlsplit(path).query)["filters"][0])
        return [
            {"Names": [f"/{name}"]}
            for name, labels in self.containers.items()
            if self.states.get(name, "running") in filters["status"]
            and all(label in labels for label in filters["label"])
        ]

    def change_state(self, name: str, verb: str) -> HttpAnswer:
        is_paused = self.states[name] == "paused"
        if is_paused != (verb == "unpause"):
            return HttpAnswer(409, {"message": f"cannot {verb} it"})
        del self.states[name]
        return HttpAnswer(204, None)

    def answer_of(self, method: str, kind: str, name: str) -> HttpAnswer:
        if name not in (self.volumes if kind == "volumes" else self.containers):
            return HttpAnswer(404, {"message": f"no such {kind}"})
        if method == "DELETE":
            self.volumes.discard(name)
            self.containers.pop(name, None)
            return HttpAnswer(204, None)
        state = {"Status": self.states.get(name, "running")}
        return HttpAnswer(200, {"Config": {"Labels": self.containers.get(name)}, "State": state})


class Systemd:
    """One unit that runs, or not."""

    def __init__(self, spark: FakeSpark) -> None:
        self.runs, self.starts, self.state = False, 0, "inactive"
        commands = spark.system.script.commands
        commands[("systemctl", "is-active")] = lambda argv, stdin: CommandResult(
            0 if self.runs else 3, "active\n" if self.runs else f"{self.state}\n", ""
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
        self.runs, self.state = False, "inactive"
        return CommandResult(0, "", "")


@pytest.fixture
def fake_docker(spark: FakeSpark) -> FakeDocker:
    return FakeDocker(spark)


def test_a_collector_is_started_once_and_taken_back(spark: FakeSpark) -> None:
    before_spark = take_snapshot(spark)
    systemd = Systemd(spark)
    FakeDocker(spark)
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
    FakeDocker(spark)
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


def test_a_collector_that_fails_again_and_again_is_ended_too(spark: FakeSpark) -> None:
    systemd = Systemd(spark)
    FakeDocker(spark)
    claim_node(spark)
    run_apply(spark.system, "telemetry", COLLECT)
    systemd.runs, systemd.state = False, "activating"
    undo_all(spark.system)
    assert systemd.state == "inactive"


def test_a_collectors_step_killed_anywhere_converges_and_comes_back(make_spark) -> None:
    def act(spark: FakeSpark) -> None:
        Systemd(spark)
        FakeDocker(spark)
        claim_node(spark)
        run_apply(spark.system, "telemetry", COLLECT)

    for spark in run_lives(make_spark, act):
        run_apply(spark.system, "telemetry", COLLECT, run=2)
        assert list_differences(telemetry.SPEC, spark.system, COLLECT) == []
        undo_all(spark.system)
        assert spark.system.get_state(telemetry.UNIT_FILE) is None
        assert spark.system.get_state(TELEMETRY_CONFIG) is None


def test_a_changed_file_is_written_and_its_reader_told_once(spark, fake_docker) -> None:
    before = take_snapshot(spark)
    claim_node(spark)
    run_apply(spark.system, "monitoring", FILES, SECRETS)
    assert spark.system.read(RULES) == "groups: []\n"
    state = spark.system.get_state(WEBHOOK)
    assert state is not None
    assert state.mode == 0o600
    assert fake_docker.sent == ["/containers/sparkform-monitoring-prometheus/kill?signal=HUP"]
    assert run_apply(spark.system, "monitoring", FILES, SECRETS, run=2) == ["nothing to do"]
    spark.system.put(RULES, "groups: [x]\n")
    assert list_differences(monitoring.SPEC, spark.system, FILES) == [
        f"{RULES} is changed, will be written"
    ]
    run_apply(spark.system, "monitoring", FILES, SECRETS, run=3)
    assert len(fake_docker.sent) == 2
    undo_all(spark.system)
    assert take_snapshot(spark) == before


def test_what_is_no_longer_declared_goes(spark, fake_docker) -> None:
    claim_node(spark)
    run_apply(spark.system, "monitoring", FILES, SECRETS)
    smaller = replace(FILES, secrets=())
    assert list_differences(monitoring.SPEC, spark.system, smaller) == [
        f"{WEBHOOK} is not declared any more, will be removed"
    ]
    run_apply(spark.system, "monitoring", smaller, run=2)
    assert spark.system.get_state(WEBHOOK) is None


def test_the_webhook_is_in_no_report_and_no_receipt(spark, fake_docker) -> None:
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


@pytest.mark.parametrize("state", ["exited", "paused", "created", "dead"])
@pytest.mark.parametrize("step", ["monitoring", "telemetry"])
def test_a_container_that_has_stopped_is_said_and_started(spark, state: str, step: str) -> None:
    """Pulumi sees it with a refresh only. Another's, and one that restarts, are left alone."""
    Systemd(spark)
    fake_docker = FakeDocker(spark)
    is_files = step == "monitoring"
    name = FILES.containers[0] if is_files else EXPORTER
    want, text = (FILES, SECRETS) if is_files else (COLLECT, "")
    ours = {"sparkform.owner": "spark/demo"}
    claim_node(spark)
    run_apply(spark.system, step, want, text)
    fake_docker.containers = {name: ours, "sparkform-qwen-0": ours, "another": {"maintainer": "x"}}
    fake_docker.states = {"sparkform-qwen-0": "exited", "another": "exited", name: "restarting"}
    assert list_differences(STEPS[step], spark.system, want) == []
    fake_docker.states[name] = state
    line = f"container {name} does not run, will be started"
    assert list_differences(STEPS[step], spark.system, want) == [line]
    assert run_apply(spark.system, step, want, text, run=2) == [f"container {name}: started"]
    assert fake_docker.states == {"sparkform-qwen-0": "exited", "another": "exited"}
    assert list_differences(STEPS[step], spark.system, want) == []


def test_a_silent_docker_says_nothing_of_the_collector(spark: FakeSpark) -> None:
    Systemd(spark)
    FakeDocker(spark)
    claim_node(spark)
    run_apply(spark.system, "telemetry", COLLECT)
    for silent in (HttpAnswer(0, "refused"), HttpAnswer(0, "late", is_late=True)):
        spark.system.script.requests[ANY_REQUEST] = lambda *arguments, answer=silent: answer
        seen = telemetry.observe(CachedSystem.wrap(spark.system), StepRequest())
        assert telemetry.compare(telemetry.narrow(seen, COLLECT), COLLECT) == []


def test_a_container_that_does_not_run_is_no_failure(spark, fake_docker) -> None:
    claim_node(spark)
    spark.system.script.requests[("POST", f"/containers/{FILES.containers[0]}/kill")] = (
        lambda method, path, body: HttpAnswer(409, {"message": "is not running"})
    )
    lines = run_apply(spark.system, "monitoring", FILES, SECRETS)
    assert [line for line in lines if "anew" in line] == []


def test_a_volume_that_is_gone_is_made_again_and_kept_only_where_the_stack_says_so(
    spark, fake_docker
) -> None:
    claim_node(spark)
    run_apply(spark.system, "monitoring", FILES, SECRETS)
    assert fake_docker.volumes == {"sparkform-prometheus"}
    fake_docker.volumes.clear()
    assert list_differences(monitoring.SPEC, spark.system, FILES) == [
        "volume sparkform-prometheus is missing, will be made"
    ]
    run_apply(spark.system, "monitoring", replace(FILES, keeps_data=True), SECRETS, run=2)
    undo_all(spark.system)
    assert fake_docker.volumes == {"sparkform-prometheus"}


def test_a_container_of_a_killed_run_goes_and_anothers_of_that_name_stays(
    spark, fake_docker
) -> None:
    claim_node(spark)
    run_apply(spark.system, "monitoring", FILES, SECRETS)
    fake_docker.containers = {FILES.containers[0]: {"sparkform.owner": "spark/demo"}}
    undo_all(spark.system)
    assert fake_docker.containers == {}
    claim_node(spark)
    run_apply(spark.system, "monitoring", FILES, SECRETS)
    fake_docker.containers = {FILES.containers[0]: {"maintainer": "somebody"}}
    undo_all(spark.system)
    assert list(fake_docker.containers) == [FILES.containers[0]]


def test_a_docker_that_does_not_answer_leaves_volumes_unknown(spark: FakeSpark) -> None:
    silent = HttpAnswer(0, "refused")
    spark.system.script.requests[ANY_REQUEST] = lambda method, path, body: silent
    assert monitoring.observe(spark.system, StepRequest()) == monitoring.Observed()
    spark.system.put(RULES, "groups: []")
    with pytest.raises(StepError, match="does not answer"):
        monitoring.observe(spark.system, StepRequest())
