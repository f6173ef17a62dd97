"""Configuration, rules and dashboards: what they say, and what Prometheus' own tools say of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from node.host.paths import MONITORING
from node.readings.gpu import GpuTelemetry
from node.readings.measure import Unread
from node.supervision.report import LiveFigures, SupervisionReport
from node.telemetry.certificates import CertificateLife
from node.telemetry.families import (
    build_certificate_families,
    build_event_families,
    build_families,
    build_unread_families,
)
from node.telemetry.node_telemetry import (
    DiskTelemetry,
    LinkTelemetry,
    NodeTelemetry,
)
from node.telemetry.service_families import build_service_families
from sparkform.config import Monitoring
from sparkform.monitoring.containers import build_containers
from sparkform.monitoring.files import RULES, build_files
from sparkform.monitoring.grafana import PROMETHEUS_URL, read_dashboards
from sparkform.monitoring.paths import WEBHOOK_PATH
from sparkform.monitoring.scrape import (
    EngineTarget,
    NodeTarget,
    ScrapeTargets,
    build_prometheus_config,
)
from tests.support.dashboards import list_queries

SOURCE_FILE = "provisioning/datasources/prometheus.yml"
RULE_TESTS = Path(__file__).parent / "rules_test.yml"
NEEDS_PROMTOOL = pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool (Debian: prometheus) is not installed"
)
TARGETS = ScrapeTargets(
    node="spark-1",
    nodes=(NodeTarget("spark-1", "10.0.0.1"), NodeTarget("spark-2", "fd00::2")),
    engines=(
        EngineTarget("chat", "spark-1", "vllm", "10.0.0.1:8000"),
        EngineTarget("qwen", "spark-2", "trtllm", "[fd00::2]:8355"),
    ),
    has_alertmanager=True,
)


def build_monitoring(**changes: object) -> Monitoring:
    return Monitoring.model_validate(changes)


def load_rules() -> list[dict[str, Any]]:
    return [
        rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]


def run_promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], text=True, capture_output=True, check=False)


def test_engines_are_read_at_their_own_paths_and_nodes_by_management() -> None:
    config: Any = build_prometheus_config(build_monitoring(), TARGETS)
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert {name: job["metrics_path"] for name, job in jobs.items()} == {
        "prometheus": "/metrics",
        "alertmanager": "/metrics",
        "node": "/metrics",
        "vllm": "/metrics",
        "trtllm": "/prometheus/metrics",
    }
    assert jobs["node"]["static_configs"] == [
        {"targets": ["10.0.0.1:9100"], "labels": {"node": "spark-1"}},
        {"targets": ["[fd00::2]:9100"], "labels": {"node": "spark-2"}},
    ]
    assert jobs["trtllm"]["static_configs"] == [
        {"targets": ["[fd00::2]:8355"], "labels": {"service": "qwen", "node": "spark-2"}}
    ]


def test_what_listens_everywhere_is_still_asked_over_loopback() -> None:
    config: Any = build_prometheus_config(build_monitoring(address="0.0.0.0"), TARGETS)
    managers = config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert managers == ["127.0.0.1:9093"]


def test_another_port_of_prometheus_makes_grafana_start_anew() -> None:
    """It reads the address of its source as it starts."""
    before, after = (
        build_monitoring(grafana=True, ports={"prometheus": port}) for port in (9090, 9091)
    )
    assert {
        path: text for path, text in build_files(after, TARGETS).items() if "grafana" in path
    } == {path: text for path, text in build_files(before, TARGETS).items() if "grafana" in path}
    urls = [
        plan.environment[PROMETHEUS_URL]
        for monitoring in (before, after)
        for plan in build_containers(monitoring, TARGETS)
        if plan.program == "grafana"
    ]
    assert urls == ["http://127.0.0.1:9090", "http://127.0.0.1:9091"]
    source = build_files(before, TARGETS)[f"{MONITORING}/grafana/{SOURCE_FILE}"]
    assert f"url: ${{{PROMETHEUS_URL}}}" in source


def test_without_a_webhook_no_alertmanager_runs() -> None:
    targets = ScrapeTargets("spark-1", TARGETS.nodes, (), has_alertmanager=False)
    files = build_files(build_monitoring(), targets)
    programs = [plan.program for plan in build_containers(build_monitoring(), targets)]
    assert [path for path in files if "alertmanager" in path] == []
    assert programs == ["node-exporter", "node-exporter", "prometheus"]
    assert "alerting" not in yaml.safe_load(files[f"{MONITORING}/prometheus/prometheus.yml"])


def test_files_are_seen_through_folders_and_nothing_listens_beyond_loopback_but_the_exporter() -> (
    None
):
    monitoring = build_monitoring(grafana=True)
    files = build_files(monitoring, TARGETS)
    for plan in build_containers(monitoring, TARGETS):
        for mount in plan.mounts:
            assert mount.source not in files, "a single file would keep its old inode"
        listening = [part for part in plan.command if "listen-address=" in part]
        if plan.program == "node-exporter":
            assert not any("127.0.0.1" in part for part in listening)
        elif plan.program != "grafana":
            assert any("=127.0.0.1:" in part for part in listening)
        else:
            assert plan.environment["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"


def test_the_webhook_is_read_from_its_file_and_stands_in_no_configuration() -> None:
    files = build_files(build_monitoring(), TARGETS)
    text = files[f"{MONITORING}/alertmanager/alertmanager.yml"]
    assert "url_file: /etc/sparkform/secrets/webhook" in text
    assert f"{MONITORING}/alertmanager/secrets/webhook" == WEBHOOK_PATH
    assert WEBHOOK_PATH not in files


def test_each_rule_says_what_it_means_and_what_to_do() -> None:
    for rule in load_rules():
        summary, runbook = rule["annotations"]["summary"], rule["annotations"]["runbook"]
        assert summary.endswith("."), rule["alert"]
        assert len(runbook.split()) >= 8, rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning", "info", "none")


def test_each_rule_is_tested_both_ways() -> None:
    names = {
        test["name"].partition(",")[0] for test in yaml.safe_load(RULE_TESTS.read_text())["tests"]
    }
    expected = {f"{rule['alert']} by its fault" for rule in load_rules()}
    expected |= {f"{rule['alert']} without" for rule in load_rules()}
    expected = {name for name in expected if not name.startswith("Watchdog")}
    assert names == expected | {"Watchdog always"}


@NEEDS_PROMTOOL
def test_promtool_runs_the_tests_of_the_rules_and_finds_a_rule_that_is_broken(
    tmp_path: Path,
) -> None:
    shutil.copy(RULE_TESTS, tmp_path)
    shutil.copy(RULES, tmp_path)
    tests = str(tmp_path / RULE_TESTS.name)
    done = run_promtool("test", "rules", tests)
    assert done.returncode == 0, done.stdout + done.stderr
    broken = RULES.read_text().replace("< 3 * 1024 ^ 3", "< 1 * 1024 ^ 3")
    (tmp_path / RULES.name).write_text(broken)
    assert run_promtool("test", "rules", tests).returncode != 0


@NEEDS_PROMTOOL
def test_promtool_accepts_rules_and_configuration(tmp_path: Path) -> None:
    files = build_files(build_monitoring(grafana=True), TARGETS)
    rules = tmp_path / "rules.yml"
    rules.write_text(files[f"{MONITORING}/prometheus/rules.yml"])
    config = tmp_path / "prometheus.yml"
    text = files[f"{MONITORING}/prometheus/prometheus.yml"]
    config.write_text(text.replace("/etc/sparkform/rules.yml", str(rules)))
    done = run_promtool("check", "config", str(config))
    assert done.returncode == 0, done.stdout + done.stderr


def test_dashboards_have_names_and_places_of_their_own() -> None:
    dashboards = {name: json.loads(text) for name, text in read_dashboards().items()}
    assert set(dashboards) == {"rack.json", "service.json", "node.json"}
    assert len({dashboard["uid"] for dashboard in dashboards.values()}) == 3
    for dashboard in dashboards.values():
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(ids) == len(set(ids))
        cells = [
            (x, y)
            for panel in dashboard["panels"]
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        ]
        assert len(cells) == len(set(cells)), "panels overlap"
        assert max(x for x, _ in cells) < 24


@NEEDS_PROMTOOL
def test_each_panels_query_is_one_that_prometheus_reads(tmp_path: Path) -> None:
    queries = [query for text in read_dashboards().values() for query in list_queries(text)]
    assert len(queries) > 30
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(queries)]
    groups = {"groups": [{"name": "panels", "rules": rules}]}
    (tmp_path / "panels.yml").write_text(yaml.safe_dump(groups))
    done = run_promtool("check", "rules", str(tmp_path / "panels.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_and_panels_ask_for_nothing_that_nobody_measures() -> None:
    """Names of ours that the collector does not write would be silent for ever."""
    texts = [RULES.read_text(), *read_dashboards().values()]
    names = {name for text in texts for name in re.findall(r"sparkform_[a-z_]+", text)}
    assert names - list_written_names() - {"sparkform_telemetry"} == set()


def list_written_names() -> set[str]:
    gpu = GpuTelemetry(0, "NVIDIA GB10", 1, 1, 1, 1, 1, ())
    link = LinkTelemetry("a", "b", True, None, 1, 1, 1, {"c": 1})
    telemetry = NodeTelemetry(
        gpus=(gpu,),
        memory=Unread("no"),
        links=(link,),
        disks={"models": DiskTelemetry("/", 1, 1)},
    )
    report = SupervisionReport(
        "chat",
        is_active=True,
        is_coordinator=True,
        phase="serving",
        phase_age_s=1,
        live_age_s=1,
        figures=LiveFigures(1, 1, 1, 1, 1, 1),
    )
    families = [
        *build_families(telemetry, ["a"]),
        *build_unread_families(["memory"]),
        *build_event_families({"79": 1}),
        *build_certificate_families({"swarm": CertificateLife("/x.crt", 1, 2)}),
        *build_service_families([report]),
    ]
    return {family.name for family in families if family.samples}
