"""Where monitoring's files lie, on the node and in its containers."""

from __future__ import annotations

from node.host.paths import MONITORING

CONFIG = "/etc/sparkform"
"""A folder of MONITORING as its container sees it. Folders are mounted, never single files: a file
that is replaced has another inode, and a mount keeps the old one."""

PROMETHEUS, ALERTMANAGER, GRAFANA = "prometheus", "alertmanager", "grafana"
NODE_EXPORTER = "node-exporter"
WEBHOOK_NAME = "webhook"
WEBHOOK_PATH = f"{MONITORING}/{ALERTMANAGER}/secrets/{WEBHOOK_NAME}"


def get_folder(program: str) -> str:
    return f"{MONITORING}/{program}"


def get_volume_name(program: str) -> str:
    """Where a program keeps what it has seen."""
    return f"sparkform-{program}"


def get_container_name(program: str) -> str:
    return f"sparkform-monitoring-{program}"
