"""Grafana's provisioning: Prometheus as its source, and our dashboards."""

from __future__ import annotations

from pathlib import Path

from sparkform.config import Monitoring
from sparkform.monitoring.paths import CONFIG
from sparkform.monitoring.scrape import find_local_address, format_host_and_port

DASHBOARDS = Path(__file__).parent / "data" / "dashboards"
DASHBOARD_FOLDER = "dashboards"
SOURCE_UID = "sparkform"


def build_source(monitoring: Monitoring) -> dict[str, object]:
    local = find_local_address(monitoring.address)
    url = f"http://{format_host_and_port(local, monitoring.ports.prometheus)}"
    source = {"name": "Prometheus", "uid": SOURCE_UID, "type": "prometheus", "url": url}
    return {"apiVersion": 1, "datasources": [{**source, "access": "proxy", "isDefault": True}]}


def build_provider() -> dict[str, object]:
    options = {"path": f"{CONFIG}/{DASHBOARD_FOLDER}"}
    provider = {"name": "sparkform", "type": "file", "allowUiUpdates": False, "options": options}
    return {"apiVersion": 1, "providers": [provider]}


def build_environment(monitoring: Monitoring) -> dict[str, str]:
    """Whoever reaches the port may look, and nobody may change anything: there is no login."""
    return {
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
