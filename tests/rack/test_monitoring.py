"""Monitoring on a rack, with Debian's real Prometheus, Alertmanager and node_exporter: targets,
panels, alerts by real faults, drift, and what destroy leaves.

The engine is the tiny one: its figures under vLLM's names are the test's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from node.ranks.supervisors import get_supervisor_unit
from sparkform.monitoring.files import RULES as RULES_FILE
from sparkform.monitoring.grafana import read_dashboards
from sparkrack import registry
from sparkrack.monitoring import images
from tests.rack.command_line import RackProject
from tests.rack.conftest import RackFactory
from tests.support import monitoring_faults as faults
from tests.support import tiny_engine
from tests.support.alerts import (
    RULES,
    RackPrometheus,
    await_state,
    receive_webhooks,
)
from tests.support.dashboards import list_panel_queries
from tests.support.deployment import Deployment
from tests.support.digest import compute_digest, list_changes
from tests.support.monitored import CALM, FAULT_S, HEAD, RANK, SERVICE, WORKER, Monitored

pytestmark = [pytest.mark.rack, pytest.mark.long]

LIMIT_S = 120.0
UNIT = get_supervisor_unit(SERVICE)


@pytest.fixture(scope="module")
def monitored(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    machines = rack(nodes=2, fabric="direct")
    tiny_engine.install(machines)
    references = {
        key: registry.publish(machines.rack, images.ensure(image, print), image.reference)
        for key, image in images.IMAGES.items()
    }
    before = compute_digest(machines)
    with receive_webhooks(str(machines.rack.host_address)) as receiver:
        deployment = Deployment.create(machines, tmp_path_factory.mktemp("monitoring"))
        deployment.declare_memory()
        deployment.services = {
            SERVICE: tiny_engine.build_service(
                tensorParallel=1, nodes=[HEAD], restartPolicy="group"
            )
        }
        deployment.monitoring = {"images": references, "intervalSeconds": 5, "keepData": False}
        deployment.write_stack_file()
        deployment.set_secret("monitoringWebhook", receiver.url)
        deployment.up()
        prometheus = RackPrometheus(machines, HEAD)
        watched = Monitored(machines, deployment, prometheus, receiver, before)
        watched.write_metrics()
        for host in machines.hosts:
            machines.must(host, faults.COUNT_ERRORS % 0)
        yield watched
        deployment.destroy()


def test_a_second_up_changes_nothing(monitored: Monitored) -> None:
    outcome = monitored.deployment.up()
    assert (outcome.changed, outcome.messages) == (set(), [])


def test_status_shows_what_the_supervisor_tells(monitored: Monitored) -> None:
    project = RackProject(monitored.rack, monitored.deployment.folder)

    def read_service() -> dict[str, Any]:
        status = project.run("status", monitored.deployment.stack_file, "--json").parse_json()
        service: dict[str, Any] = status["services"][0]
        return service

    await_state(lambda: read_service()["state"] == "serving", lambda: f"{read_service()}", LIMIT_S)
    service = read_service()
    assert service["restarts"] == 0
    assert [rank["state"] for rank in service["ranks"]] == ["running"]


def test_everything_is_read(monitored: Monitored) -> None:
    expected = {
        ("prometheus", HEAD),
        ("alertmanager", HEAD),
        ("node", HEAD),
        ("node", WORKER),
        ("vllm", SERVICE),
    }

    def are_all_up() -> bool:
        return monitored.prometheus.list_targets() == dict.fromkeys(expected, "up")

    await_state(are_all_up, lambda: f"targets: {monitored.prometheus.list_targets()}", LIMIT_S)


def test_each_panel_shows_something(monitored: Monitored) -> None:
    queries = [
        (title, query)
        for text in read_dashboards().values()
        for title, query in list_panel_queries(text)
        if "trtllm" not in query.replace("|trtllm", "")
    ]

    def list_empty() -> list[str]:
        return [title for title, query in queries if not monitored.prometheus.query(query)]

    await_state(lambda: list_empty() == [], lambda: f"empty: {list_empty()}", LIMIT_S)
    assert len(queries) > 35


def test_ports_listen_where_they_should_and_the_webhook_is_in_no_configuration(
    monitored: Monitored,
) -> None:
    listening = monitored.rack.must(HEAD, "ss -Hltn | awk '{print $4}'").split()
    assert "127.0.0.1:9090" in listening
    assert "127.0.0.1:9093" in listening
    assert not any(address.endswith(":9094") for address in listening), "no gossip"
    assert not any(address in ("0.0.0.0:9100", "*:9100", "[::]:9100") for address in listening)
    search = "sudo grep -rl CANARY /var/lib/sparkform || true"
    assert monitored.rack.must(HEAD, search).split() == [
        "/var/lib/sparkform/monitoring/alertmanager/secrets/webhook"
    ]
    inspect = "sudo docker inspect $(sudo docker ps -q) | grep -c CANARY || true"
    assert monitored.rack.must(HEAD, inspect).strip() == "0"


def test_a_changed_rule_file_is_said_and_put_back_and_read_anew(monitored: Monitored) -> None:
    monitored.write_rules("groups: []\n")
    await_state(
        lambda: monitored.prometheus.fetch("/api/v1/rules")["groups"] == [],
        lambda: "rules are not read anew",
        LIMIT_S,
    )
    line = f"{HEAD} monitoring: {RULES} is changed, will be written"
    assert line in monitored.deployment.preview().messages
    outcome = monitored.deployment.up()
    assert outcome.changed_steps == {f"{HEAD}-monitoring"}
    await_state(
        lambda: len(monitored.prometheus.fetch("/api/v1/rules")["groups"]) == 2,
        lambda: "rules are not read anew",
        LIMIT_S,
    )
    assert monitored.deployment.up().changed == set()


def test_a_collector_that_was_stopped_is_started_by_up(monitored: Monitored) -> None:
    monitored.rack.must(WORKER, "sudo systemctl stop sparkform-telemetry")
    assert monitored.rack.must(WORKER, "ls /run/sparkform-telemetry 2>&1 || true").strip() != ""
    outcome = monitored.deployment.preview_and_up()
    assert f"{WORKER} telemetry: collector is stopped, will be started" in outcome.messages
    assert outcome.changed_steps == {f"{WORKER}-telemetry"}


def test_the_faults_of_a_machine_are_told_once_each_and_end(monitored: Monitored) -> None:
    rack, prometheus = monitored.rack, monitored.prometheus
    monitored.hasten()
    await_state(lambda: prometheus.list_firing() == CALM, prometheus.tell_firing, LIMIT_S)
    expected = frozenset[str]().union(
        *(fault.alerts for fault in (*faults.OF_WORKER, faults.JOURNAL)),
        *(faults.GPU_ALERTS, {"LinkDown", "ServiceStalled", "ServiceWaits"}),
    )

    def cause() -> None:
        faults.write_gpu(rack, WORKER, **faults.BUSY_AND_HELD)
        for fault in faults.OF_WORKER:
            rack.must(WORKER, fault.cause)
        rack.must(HEAD, faults.JOURNAL.cause)
        monitored.write_metrics(running=2, waiting=12, tokens="900")
        rack.break_("link-down", WORKER, "enp1s0f0np0")

    def mend() -> None:
        rack.mend("link-down", WORKER, "enp1s0f0np0")
        monitored.write_metrics()
        for fault in faults.OF_WORKER:
            rack.must(WORKER, fault.mend)
        rack.must(HEAD, faults.JOURNAL.mend)
        faults.write_gpu(rack, WORKER, **faults.IDLE)

    monitored.prove(expected, cause, mend)
    assert not any("<no value>" in text for text in prometheus.list_annotations())


def test_a_full_disk_is_told(monitored: Monitored) -> None:
    """The collector starts anew then: the rack lays others over its program's folder."""
    rack = monitored.rack
    monitored.prove(
        {"DiskFull"},
        lambda: rack.break_("disk-full", WORKER),
        lambda: rack.mend("disk-full", WORKER),
    )


def test_a_service_that_fails_in_its_ways_is_told(monitored: Monitored) -> None:
    """It does not answer and is not restarted yet; its supervisor is gone; it is restarted; it
    cannot be; its container is gone."""
    rack = monitored.rack
    monitored.hasten()
    monitored.prove(
        {"ServiceRestarted"},
        lambda: rack.must(HEAD, f"sudo docker kill {RANK}"),
        monitored.await_answer,
    )
    monitored.prove(
        {"ServiceDown", "ServiceUnsupervised"},
        lambda: rack.must(HEAD, f"sudo systemctl stop {UNIT}; sudo docker pause {RANK}"),
        lambda: rack.must(HEAD, f"sudo docker unpause {RANK}; sudo systemctl start {UNIT}"),
    )
    monitored.prove(
        {"GpuUnreadable", "ServiceDegraded"}, monitored.kill_without_gpu, monitored.mend_gpu
    )
    monitored.prove(
        {"ServiceGaveUp"},
        lambda: rack.must(HEAD, f"sudo docker rm -f {RANK}"),
        monitored.mend_container,
    )


def test_programs_of_monitoring_that_end_are_told(monitored: Monitored) -> None:
    rack = monitored.rack
    monitored.hasten()
    monitored.prove(
        {"CollectorStale"},
        lambda: rack.must(WORKER, "sudo systemctl kill -s STOP sparkform-telemetry"),
        lambda: rack.must(WORKER, "sudo systemctl kill -s CONT sparkform-telemetry"),
    )
    monitored.prove(
        {"NodeDown"},
        lambda: rack.must(WORKER, "sudo docker stop sparkform-monitoring-node-exporter"),
        monitored.mend_exporter,
    )
    rack.must(HEAD, "sudo docker stop sparkform-monitoring-alertmanager")
    prometheus = monitored.prometheus
    await_state(lambda: "ScrapeDown" in prometheus.list_firing(), prometheus.tell_firing, FAULT_S)
    rack.must(HEAD, "sudo docker start sparkform-monitoring-alertmanager")
    await_state(lambda: prometheus.list_firing() == CALM, prometheus.tell_firing, FAULT_S)


def test_every_rule_was_proved(monitored: Monitored) -> None:
    """By the tests above, but for two: the watchdog fires in each, and Alertmanager, which has
    ended, tells nobody."""
    names = {
        rule["alert"]
        for group in yaml.safe_load(RULES_FILE.read_text())["groups"]
        for rule in group["rules"]
    }
    assert names - monitored.proved == {"Watchdog", "ScrapeDown"}


def test_destroy_leaves_nothing(monitored: Monitored) -> None:
    """The volumes were declared not to be kept."""
    monitored.deployment.destroy()
    monitored.rack.ask(WORKER, f"{faults.build_undo(faults.OOM)}; sudo rm -rf {faults.FAKES}")
    monitored.rack.ask(HEAD, f"sudo rm -rf {faults.FAKES}")
    changes = list_changes(monitored.before, compute_digest(monitored.rack))
    assert changes == []
    for host in monitored.rack.hosts:
        assert monitored.rack.must(host, "sudo docker volume ls -q").strip() == ""
        assert monitored.rack.must(host, "sudo docker ps -aq").strip() == ""
