"""Grafana's provisioning: Prometheus as its source, and our dashboards."""

from __future__ import annotations

from pathlib import Path

from sparkform.config import Monitoring
from sparkform.monitoring.paths import CONFIG
from sparkform.monitoring.scrape import find_local_address, format_host_and_port

DASHBOARDS = Path(__file__).parent / "data" / "dashboards"
DASHBOARD_FOLDER = "dashboards"
SOURCE_UID = "sparkform"
PROMETHEUS_URL = "SPARKFORM_PROMETHEUS_URL"


def build_source() -> dict[str, object]:
    """Grafana reads this file as it starts and never again, so that what may change stands in its
    environment: that replaces the container (grafana.com/docs, "Provision Grafana")."""
    source = {"name": "Prometheus", "uid": SOURCE_UID, "type": "prometheus"}
    source |= {"url": f"${{{PROMETHEUS_URL}}}", "access": "proxy"}
    return {"apiVersion": 1, "datasources": [{**source, "isDefault": True}]}


def build_provider() -> dict[str, object]:
    options = {"path": f"{CONFIG}/{DASHBOARD_FOLDER}"}
    provider = {"name": "sparkform", "type": "file", "allowUiUpdates": False, "options": options}
    return {"apiVersion": 1, "providers": [provider]}


def build_environment(monitoring: Monitoring) -> dict[str, str]:
    """Whoever reaches the port may look, and nobody may change anything: there is no login."""
    local = find_local_address(monitoring.address)
    return {
        PROMETHEUS_URL: f"http://{format_host_and_port(local, monitoring.ports.prometheus)}",
        "GF_PATHS_PROVISIONING": f"{CONFIG}/provisioning",
        "GF_SERVER_HTTP_ADDR": monitoring.address,
        "GF_SERVER_HTTP_PORT": str(monitoring.ports.grafana),
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
        "GF_AUTH_DISABLE_LOGIN_FORM": "true",
        "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION": "true",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
    }


def read_dashboards() -> dict[str, str]:
    """By file name."""
    return {path.name: path.read_text() for path in sorted(DASHBOARDS.glob("*.json"))}
