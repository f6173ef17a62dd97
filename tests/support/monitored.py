"""A rack with a service that is watched, and the proof of an alert: fired, told once, ended."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from tests.support import tiny_engine
from tests.support.alerts import (
    ALERTMANAGER_CONFIG,
    HANGUP,
    RULES,
    RackPrometheus,
    WebhookReceiver,
    await_state,
    hasten,
    hasten_messages,
)
from tests.support.deployment import Deployment
from tests.support.digest import Digest
from tests.support.rack import RackHandle

HEAD, WORKER = "spark-1", "spark-2"
SERVICE = "chat"
RANK = f"sparkform-{SERVICE}-0"
FAULT_S = 240.0
CALM = {"Watchdog"}
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


@dataclass
class Monitored:
    """A rack with a service that is watched."""

    rack: RackHandle
    deployment: Deployment
    prometheus: RackPrometheus
    receiver: WebhookReceiver
    before: Digest
    proved: set[str] = field(default_factory=set)

    def write_metrics(self, running: int = 1, waiting: int = 0, tokens: str = "NOW") -> None:
        """What the engine answers under /metrics from now on; NOW grows by one a second."""
        text = VLLM_METRICS.replace("RUNNING", str(running)).replace("WAITING", str(waiting))
        # A rank's limits are above those that `docker exec` may set here.
        copy = f"cat > /tmp/metrics && sudo docker cp /tmp/metrics {RANK}:/tmp/tiny-metrics"
        self.rack.must(HEAD, copy, text.replace("TOKENS", tokens).lstrip())

    def write_rules(self, text: str) -> None:
        self.rack.must(HEAD, f"sudo tee {RULES} > /dev/null", text)
        self.rack.must(HEAD, HANGUP % "prometheus")

    def write_alertmanager(self, text: str) -> None:
        self.rack.must(HEAD, f"sudo tee {ALERTMANAGER_CONFIG} > /dev/null", text)
        self.rack.must(HEAD, HANGUP % "alertmanager")

    def hasten(self) -> None:
        """The times of rules and of Alertmanager are short from now on, until `up` puts them back.
        promtool tests those that the product has."""
        self.write_rules(hasten(self.rack.must(HEAD, f"sudo cat {RULES}")))
        config = self.rack.must(HEAD, f"sudo cat {ALERTMANAGER_CONFIG}")
        self.write_alertmanager(hasten_messages(config))

    def prove(
        self, alerts: Collection[str], cause: Callable[[], object], mend: Callable[[], object]
    ) -> None:
        """Each fires by its fault, ends after it, and is told once: that it fires, that it ended.
        Alerts that come beside them must end too."""
        self.receiver.messages.clear()
        seen: set[str] = set()

        def have_all_fired() -> bool:
            seen.update(self.prometheus.list_firing())
            return set(alerts) <= seen

        cause()
        await_state(have_all_fired, lambda: f"not fired: {set(alerts) - seen}", FAULT_S)
        mend()
        calm = {"Watchdog"}
        await_state(
            lambda: self.prometheus.list_firing() == calm, self.prometheus.tell_firing, FAULT_S
        )
        await_state(
            lambda: all(self.receiver.count(alert, "resolved") for alert in alerts),
            lambda: f"messages: {self.receiver.messages}",
            FAULT_S,
        )
        for alert in alerts:
            fired = self.receiver.count(alert, "firing")
            assert set(fired.values()) == {1}, f"{alert}: {fired}"
        self.proved.update(alerts)

    def kill_without_gpu(self) -> None:
        """A restart that lacks what it needs."""
        self.rack.break_("gpu-gone", HEAD)
        self.rack.must(HEAD, f"sudo docker kill {RANK}")

    def mend_gpu(self) -> None:
        self.rack.mend("gpu-gone", HEAD)
        self.await_answer()

    def mend_container(self) -> None:
        self.deployment.up("--refresh")
        self.await_answer()
        self.hasten()

    def mend_exporter(self) -> None:
        outcome = self.deployment.up("--refresh")
        assert f"{WORKER}-monitoring-node-exporter" in outcome.changed
        self.hasten()

    def await_answer(self) -> None:
        """With the figures that the test gives it: a new container has none."""
        await_state(
            lambda: tiny_engine.request_answer(self.rack, HEAD).endswith("200"),
            lambda: "the service does not answer",
            FAULT_S,
        )
        self.write_metrics()
