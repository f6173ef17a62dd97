"""The block `sparkform:monitoring`: metrics of nodes and engines, alerts and dashboards."""

from __future__ import annotations

from pydantic import Field

from sparkform.config import values
from sparkform.config.section import Section


class MonitoringPorts(Section):
    """Ports of the monitoring programs; change those that programs of your own use."""

    prometheus: values.Port = Field(9090, description="Prometheus.")
    alertmanager: values.Port = Field(9093, description="Alertmanager.")
    node_exporter: values.Port = Field(9100, description="node_exporter, on every node.")
    grafana: values.Port = Field(3000, description="Grafana.")


class MonitoringImages(Section):
    """Container images, each the official one pinned by digest unless another is named."""

    prometheus: values.Image = Field(
        "prom/prometheus:v3.5.0@sha256:"
        "63805ebb8d2b3920190daf1cb14a60871b16fd38bed42b857a3182bc621f4996",
        description="Prometheus.",
    )
    alertmanager: values.Image = Field(
        "prom/alertmanager:v0.28.1@sha256:"
        "27c475db5fb156cab31d5c18a4251ac7ed567746a2483ff264516437a39b15ba",
        description="Alertmanager; at least 0.26, which reads the webhook from a file.",
    )
    node_exporter: values.Image = Field(
        "prom/node-exporter:v1.9.1@sha256:"
        "d00a542e409ee618a4edc67da14dd48c5da66726bbd5537ab2af9c1dfc442c8a",
        description="node_exporter.",
    )
    grafana: values.Image = Field(
        "grafana/grafana:12.1.1@sha256:"
        "a1701c2180249361737a99a01bc770db39381640e4d631825d38ff4535efa47d",
        description="Grafana.",
    )


class Monitoring(Section):
    """Prometheus with alert rules, and what it reads."""

    node: values.NodeName | None = Field(
        None,
        description="The node that runs Prometheus, Alertmanager and Grafana.",
        json_schema_extra={"absent": "the head"},
    )
    address: values.ListenAddress = Field(
        "127.0.0.1",
        description="Address that Prometheus, Alertmanager and Grafana listen on. Prometheus and "
        "Alertmanager ask nobody for a password: keep loopback and log in by `ssh -L`.",
    )
    ports: MonitoringPorts = Field(
        default_factory=MonitoringPorts, description="Ports of the programs."
    )
    images: MonitoringImages = Field(
        default_factory=MonitoringImages, description="Container images."
    )
    grafana: values.Flag = Field(
        False, description="Whether Grafana runs, too, with the dashboards rack, service and node."
    )
    interval_seconds: values.Interval = Field(15, description="How often figures are read.")
    retention_days: values.Count = Field(15, description="How long Prometheus keeps figures.")
    keep_data: values.Flag = Field(
        True, description="Whether `destroy` keeps the volumes with figures and silences."
    )
