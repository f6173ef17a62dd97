"""A rack's Prometheus as tests ask it, faults for each alert, and a receiver of webhooks."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.rack import RackHandle

PROMETHEUS = "http://127.0.0.1:9090"
RULES = "/var/lib/sparkform/monitoring/prometheus/rules.yml"
POLL_S = 2.0
ALERTMANAGER_CONFIG = "/var/lib/sparkform/monitoring/alertmanager/alertmanager.yml"
HANGUP = "sudo docker kill -s HUP sparkform-monitoring-%s"


@dataclass(frozen=True)
class RackPrometheus:
    """Asked on its own node: it listens on loopback."""

    rack: RackHandle
    host: str

    def fetch(self, path: str) -> Any:
        answer = json.loads(self.rack.must(self.host, f"curl -sS -m 10 '{PROMETHEUS}{path}'"))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[Any]:
        data = self.fetch(f"/api/v1/query?query={urllib.parse.quote(expression, safe='')}")
        return [sample for sample in data["result"] if sample["value"][1] != "NaN"]

    def list_targets(self) -> dict[tuple[str, str], str]:
        """Health by job and instance's node or service."""
        targets = self.fetch("/api/v1/targets")["activeTargets"]
        return {
            (
                target["labels"]["job"],
                target["labels"].get("service", target["labels"]["node"]),
            ): target["health"]
            for target in targets
        }

    def list_firing(self) -> set[str]:
        alerts = self.fetch("/api/v1/alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def tell_firing(self) -> str:
        return f"firing: {self.list_firing()}"

    def list_annotations(self) -> list[str]:
        alerts = self.fetch("/api/v1/alerts")["alerts"]
        return [text for alert in alerts for text in alert["annotations"].values()]


def await_state(reached: Callable[[], bool], describe: Callable[[], str], limit_s: float) -> None:
    """Poll until `reached`; the test fails with what `describe` says then."""
    deadline_s = time.monotonic() + limit_s
    while not reached():
        assert time.monotonic() < deadline_s, describe()
        time.sleep(POLL_S)


def hasten(rules: str) -> str:
    """The same rules with short times; promtool tests those that the product has."""
    rules = re.sub(r"for: \d+m", "for: 5s", rules)
    rules = re.sub(r"\[(3|10|15)m\b", "[40s", rules)
    return rules.replace("> 120", "> 25")


def hasten_messages(config: str) -> str:
    """Alertmanager's times, the repeat of the watchdog excepted."""
    config = config.replace("group_wait: 10s", "group_wait: 1s")
    return config.replace("group_interval: 1m", "group_interval: 5s")


@dataclass
class WebhookReceiver:
    """What came in: how often each alert of a node or service was sent, by its status."""

    url: str
    messages: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def count(self, alert: str, status: str) -> Counter[str]:
        """By node or service."""
        return Counter(
            {
                subject: number
                for (name, subject, state), number in self.messages.items()
                if (name, state) == (alert, status)
            }
        )


@contextmanager
def receive_webhooks(address: str) -> Iterator[WebhookReceiver]:
    receiver = WebhookReceiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for alert in body["alerts"]:
                labels = alert["labels"]
                subject = labels.get("service") or labels.get("node", "")
                receiver.messages[labels["alertname"], subject, alert["status"]] += 1
            self.send_response(200)
            self.end_headers()

        def log_message(self, form: str, *values: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer((address, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    receiver.url = f"http://{address}:{server.server_port}/alerts/CANARY"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
