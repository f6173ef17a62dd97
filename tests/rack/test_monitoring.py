"""Monitoring on a rack, with Debian's real Prometheus, Alertmanager and node_exporter: targets,
panels, alerts by real faults, drift, and what destroy leaves.

The engine is the tiny one: its figures under vLLM's names are the test's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from sparkform.monitoring.grafana import read_dashboards
from sparkrack import registry
from sparkrack.monitoring import images
from tests.rack.conftest import RackFactory
from tests.support import tiny_engine
from tests.support.alerts import (
    HANGUP,
    RULES,
    RackPrometheus,
    WebhookReceiver,
    await_state,
    hasten,
    receive_webhooks,
)
from tests.support.dashboards import list_panel_queries
from tests.support.deployment import Deployment
from tests.support.digest import Digest, compute_digest, list_changes
from tests.support.rack import RackHandle

pytestmark = [pytest.mark.rack, pytest.mark.long]

HEAD, WORKER = "spark-1", "spark-2"
SERVICE = "chat"
RANK = f"sparkform-{SERVICE}-0"
LIMIT_S = 120.0
VLLM_METRICS = """
vllm:num_requests_running{model_name="tiny"} RUNNING
vllm:num_requests_waiting{model_name="tiny"} WAITING
vllm:generation_tokens_total{model_name="tiny"} TOKENS
vllm:prompt_tokens_total{model_name="tiny"} TOKENS
vllm:request_success_total{model_name="tiny",finished_reason="stop"} NOW
vllm:kv_cache_usage_perc{model_name="tiny"} 0.2
vllm:time_to_first_token_seconds_bucket{model_name="tiny",le="0.5"} NOW
vllm:time_to_first_token_seconds_bucket{model_name="tiny",le="+Inf"} NOW
vllm:e2e_request_latency_seconds_bucket{model_name="tiny",le="0.5"} NOW
vllm:e2e_request_latency_seconds_bucket{model_name="tiny",le="+Inf"} NOW
"""
NOT_ON_THIS_RACK = {"Phase", "Restarts within the window", "Time since the last token"}
"""Panels of a supervised service."""


@dataclass
class Monitored:
    """A rack with a service that is watched."""

    rack: RackHandle
    deployment: Deployment
    prometheus: RackPrometheus
    receiver: WebhookReceiver
    before: Digest

    def write_metrics(self, running: int = 1, waiting: int = 0, tokens: str = "NOW") -> None:
        """What the engine answers under /metrics from now on; NOW grows by one a second."""
        text = VLLM_METRICS.replace("RUNNING", str(running)).replace("WAITING", str(waiting))
        # A rank's limits are above those that `docker exec` may set here.
        copy = f"cat > /tmp/metrics && sudo docker cp /tmp/metrics {RANK}:/tmp/tiny-metrics"
        self.rack.must(HEAD, copy, text.replace("TOKENS", tokens).lstrip())

    def write_gpu(self, **values: object) -> None:
        """What nvidia-smi shows on the worker."""
        script = (
            "import json, pathlib, sys\n"
            "path = pathlib.Path('/etc/rack/gpu.json')\n"
            "document = json.loads(path.read_text()) | json.loads(sys.argv[1])\n"
            "path.write_text(json.dumps(document))\n"
        )
        command = f"sudo python3 -c \"{script}\" '{json.dumps(values)}'"
        self.rack.must(WORKER, command)

    def write_rules(self, text: str) -> None:
        self.rack.must(HEAD, f"sudo tee {RULES} > /dev/null", text)
        self.rack.must(HEAD, HANGUP)


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
        deployment.services = {SERVICE: tiny_engine.build_service(tensorParallel=1, nodes=[HEAD])}
        deployment.monitoring = {"images": references, "intervalSeconds": 5, "keepData": False}
        deployment.write_stack_file()
        deployment.set_secret("monitoringWebhook", receiver.url)
        deployment.up()
        prometheus = RackPrometheus(machines, HEAD)
        watched = Monitored(machines, deployment, prometheus, receiver, before)
        watched.write_metrics()
        yield watched
        deployment.destroy()


def test_a_second_up_changes_nothing(monitored: Monitored) -> None:
    outcome = monitored.deployment.up()
    assert (outcome.changed, outcome.messages) == (set(), [])


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
        if title not in NOT_ON_THIS_RACK and "trtllm" not in query.replace("|trtllm", "")
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
    assert monitored.prometheus.fetch("/api/v1/rules")["groups"] == []
    (line,) = monitored.deployment.preview().messages
    assert line == f"{HEAD} monitoring: {RULES} is changed, will be written"
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
    assert outcome.messages == [f"{WORKER} telemetry: collector is stopped, will be started"]
    assert outcome.changed_steps == {f"{WORKER}-telemetry"}


FAKE_PROC = """
set -e
sudo mkdir -p /run/fake
sed 's/^MemAvailable:.*/MemAvailable: 1048576 kB/; s/^SwapTotal:.*/SwapTotal: 16777212 kB/
s/^SwapFree:.*/SwapFree: 1048576 kB/; /^Cma/d' /proc/meminfo > /tmp/meminfo
printf 'CmaTotal: 0 kB\\nCmaFree: 4187904 kB\\n' >> /tmp/meminfo
sudo cp /tmp/meminfo /run/fake/meminfo
sudo mount --bind /run/fake/meminfo /proc/meminfo
"""
UNDO_PROC = "sudo umount /proc/meminfo; sudo rm -rf /run/fake"
COUNTERS = "/run/rack-shims/devices/infiniband/rocep1s0f0/ports/1/hw_counters"
COUNT_ERRORS = f"sudo mkdir -p {COUNTERS}; echo %d | sudo tee {COUNTERS}/packet_seq_err"
SPOIL_XID = "echo 'NVRM: Xid (PCI:000f:01:00): 79, pid=1' | sudo systemd-cat -t kernel"


def test_each_alert_fires_by_its_fault_is_told_once_and_ends(monitored: Monitored) -> None:
    """The times of the rules are shortened here; promtool tests those that the product has."""
    rack, prometheus = monitored.rack, monitored.prometheus
    monitored.write_rules(hasten(rack.must(HEAD, f"sudo cat {RULES}")))
    await_state(lambda: prometheus.list_firing() == {"Watchdog"}, _tell(prometheus), LIMIT_S)
    rack.must(WORKER, COUNT_ERRORS % 0)
    monitored.write_gpu(
        utilization_percent=96,
        power_draw_w=11.0,
        temperature_c=95,
        clock_sm_mhz=507,
        clock_event_reasons=0x40,
    )
    rack.must(WORKER, FAKE_PROC)
    rack.must(WORKER, SPOIL_XID)
    monitored.write_metrics(running=2, waiting=12, tokens="900")
    rack.break_("link-down", WORKER, "enp1s0f0np0")
    rack.must(WORKER, COUNT_ERRORS % 500)
    expected = {
        *("GpuThrottled", "GpuHot", "GpuClockStuckLow", "GpuBusyWithoutPower"),
        *("MemoryLow", "SwapUsed", "ContiguousMemoryBroken", "GpuError"),
        *("LinkDown", "LinkErrors", "ServiceStalled", "ServiceWaits"),
    }
    seen: set[str] = set()

    def have_all_fired() -> bool:
        seen.update(prometheus.list_firing())
        return expected <= seen

    await_state(have_all_fired, lambda: f"not fired: {expected - seen}", 240)
    assert not any("<no value>" in text for text in prometheus.list_annotations())
    monitored.write_gpu(
        utilization_percent=0,
        power_draw_w=3.74,
        temperature_c=36,
        clock_sm_mhz=2418,
        clock_event_reasons=1,
    )
    rack.must(WORKER, UNDO_PROC)
    monitored.write_metrics()
    rack.mend("link-down", WORKER, "enp1s0f0np0")
    await_state(lambda: prometheus.list_firing() == {"Watchdog"}, _tell(prometheus), 240)
    await_state(
        lambda: all(monitored.receiver.count(alert, "resolved") for alert in expected),
        lambda: f"messages: {monitored.receiver.messages}",
        180,
    )
    for alert in expected:
        fired = monitored.receiver.count(alert, "firing")
        assert fired, alert
        assert set(fired.values()) == {1}, f"{alert}: {fired}"


def test_what_is_gone_is_told_and_comes_back(monitored: Monitored) -> None:
    """Programs and devices that end: node_exporter, the collector, the GPU, the engine."""
    rack, prometheus = monitored.rack, monitored.prometheus
    rack.must(WORKER, "sudo systemctl kill -s STOP sparkform-telemetry")
    rack.must(HEAD, f"sudo docker kill {RANK}")
    rack.break_("gpu-gone", HEAD)
    seen: set[str] = set()

    def have_all_fired() -> bool:
        seen.update(prometheus.list_firing())
        return {"CollectorStale", "GpuUnreadable", "ServiceDown"} <= seen

    await_state(have_all_fired, lambda: f"fired: {seen}", 240)
    rack.must(WORKER, "sudo docker stop sparkform-monitoring-node-exporter")
    await_state(lambda: "NodeDown" in prometheus.list_firing(), _tell(prometheus), LIMIT_S)
    rack.mend("gpu-gone", HEAD)
    rack.must(WORKER, "sudo systemctl kill -s CONT sparkform-telemetry")
    outcome = monitored.deployment.up()
    assert f"{WORKER}-monitoring-node-exporter" in outcome.changed
    monitored.write_metrics()
    await_state(lambda: prometheus.list_firing() == {"Watchdog"}, _tell(prometheus), 240)


def test_destroy_leaves_nothing(monitored: Monitored) -> None:
    """The volumes were declared not to be kept."""
    monitored.deployment.destroy()
    changes = list_changes(monitored.before, compute_digest(monitored.rack))
    assert changes == []
    for host in monitored.rack.hosts:
        assert monitored.rack.must(host, "sudo docker volume ls -q").strip() == ""
        assert monitored.rack.must(host, "sudo docker ps -aq").strip() == ""


def _tell(prometheus: RackPrometheus) -> Callable[[], str]:
    return lambda: f"firing: {prometheus.list_firing()}"
