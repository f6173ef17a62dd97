"""All files of monitoring's programs, by their path on the node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from sparkform.config import Monitoring
from sparkform.monitoring import grafana
from sparkform.monitoring.alertmanager import build_alertmanager_config
from sparkform.monitoring.paths import ALERTMANAGER, GRAFANA, PROMETHEUS, get_folder
from sparkform.monitoring.scrape import ScrapeTargets, build_prometheus_config

RULES = Path(__file__).parent / "data" / "rules.yml"
HEAD = "# Written by sparkform; changes are lost.\n"


def build_files(monitoring: Monitoring, targets: ScrapeTargets) -> dict[str, str]:
    return dict(_list_files(monitoring, targets))


def _list_files(monitoring: Monitoring, targets: ScrapeTargets) -> Iterator[tuple[str, str]]:
    prometheus = get_folder(PROMETHEUS)
    config = build_prometheus_config(monitoring, targets)
    yield f"{prometheus}/prometheus.yml", _render(config)
    yield f"{prometheus}/rules.yml", RULES.read_text()
    if targets.has_alertmanager:
        text = _render(build_alertmanager_config())
        yield f"{get_folder(ALERTMANAGER)}/alertmanager.yml", text
    if monitoring.grafana:
        folder = get_folder(GRAFANA)
        provisioning = f"{folder}/provisioning"
        yield (
            f"{provisioning}/datasources/prometheus.yml",
            _render(grafana.build_source()),
        )
        yield f"{provisioning}/dashboards/sparkform.yml", _render(grafana.build_provider())
        for name, text in grafana.read_dashboards().items():
            yield f"{folder}/{grafana.DASHBOARD_FOLDER}/{name}", text


def _render(document: Mapping[str, object]) -> str:
    text: str = yaml.safe_dump(dict(document), sort_keys=False, default_flow_style=False)
    return HEAD + text
