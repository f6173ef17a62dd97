"""The block monitoring: off by default, and what it must agree with."""

from __future__ import annotations

import pytest

from sparkform.config import parse_config
from sparkform.errors import InputError
from tests.unit.config.support import build_changed_cluster, build_cluster, vllm


def list_messages(monitoring: object, services: object = None, cluster: object = None) -> list[str]:
    try:
        parse_config(cluster or build_cluster(2), services, monitoring)
    except InputError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_nothing_is_monitored_unless_declared() -> None:
    assert parse_config(build_cluster(2)).monitoring is None


def test_an_empty_block_has_safe_defaults() -> None:
    declaration = parse_config(build_cluster(2), {}, {})
    monitoring = declaration.monitoring
    assert monitoring is not None
    assert declaration.monitoring_node.is_head
    assert (monitoring.address, monitoring.keep_data, monitoring.grafana) == (
        "127.0.0.1",
        True,
        False,
    )
    assert all("@sha256:" in image for image in dict(monitoring.images).values())
    again = parse_config(build_cluster(2), {}, monitoring.to_plain())
    assert again.monitoring == monitoring


def test_another_node_runs_it() -> None:
    declaration = parse_config(build_cluster(2), {}, {"node": "spark-2"})
    assert declaration.monitoring_node.name == "spark-2"


@pytest.mark.parametrize(
    ("monitoring", "message"),
    [
        ({"node": "spark-9"}, "monitoring.node: is not a node of the cluster (got spark-9)"),
        ({"nodes": 1}, "monitoring.nodes: is not a known key"),
        (
            {"ports": {"prometheus": 8000}},
            "monitoring.ports.prometheus: is also the port of service chat on node spark-1",
        ),
        (
            {"ports": {"prometheus": 9100}},
            "monitoring.ports.prometheus: is also the port of monitoring's nodeExporter",
        ),
        ({"ports": {"nodeExporter": 22}}, "is also the port of SSH on node spark-1"),
        ({"intervalSeconds": 1}, "monitoring.intervalSeconds"),
        ([], "monitoring: must be"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(monitoring: object, message: str) -> None:
    messages = list_messages(monitoring, {"chat": vllm(nodes=["spark-1"])})
    assert messages
    assert any(message in text for text in messages), messages


def test_a_node_that_is_away_cannot_run_it() -> None:
    cluster = build_changed_cluster(1, away=True)
    (message,) = list_messages({"node": "spark-2"}, cluster=cluster)
    assert message.startswith("monitoring.node: is away (got spark-2)")


def test_grafanas_port_counts_only_where_grafana_runs() -> None:
    services = {"chat": vllm(nodes=["spark-1"], port=3000)}
    assert list_messages({}, services) == []
    assert len(list_messages({"grafana": True}, services)) == 1


def test_a_service_may_not_take_the_name_of_monitorings_images() -> None:
    services = {"monitoring-x": vllm(nodes=["spark-1"])}
    assert list_messages(None, services) == []
    assert "rename the service" in list_messages({}, services)[0]
