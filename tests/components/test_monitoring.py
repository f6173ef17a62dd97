"""Monitoring as the engine is asked for it: order, restarts, what is kept, where the secret is."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker
import pytest

from components.monitoring import RackMonitoring, build_monitoring
from components.rack import Rack, build_rack
from components.run_log import RunLog
from sparkform.config import parse_config
from sparkform.plan.rack import plan_rack
from sparkform.plan.secrets import StackSecrets
from tests.components.test_services import build_connections
from tests.support.planning import STACK, build_declaration, load_reports
from tests.support.registrations import Registered, RegistrationMonitor, record_registrations

SECRETS = StackSecrets(frozenset({"monitoringWebhook"}))


def register(**keys: object) -> RegistrationMonitor:
    cluster = build_declaration("direct", 2).cluster.to_plain()
    declaration = parse_config(cluster, {}, keys)
    plan = plan_rack(declaration, load_reports("direct-2-up"), STACK, "new", SECRETS)
    with record_registrations() as record:

        @pulumi.runtime.test  # type: ignore[untyped-decorator]
        def build() -> None:
            rack = Rack(declaration, ())
            connections = build_connections(declaration)
            resources = build_rack(
                rack,
                declaration,
                plan,
                "the node program",
                connections,
                lambda key: None,
                RunLog([node.name for node in declaration.nodes], []),
            )
            providers = {
                name: docker.Provider(f"{name}-docker", host=f"ssh://{name}")
                for name in plan.docker_nodes
            }
            assert plan.monitoring is not None
            component = RackMonitoring({}, pulumi.ResourceOptions(parent=rack))
            build_monitoring(
                component,
                plan.monitoring,
                resources,
                providers,
                str(STACK),
                lambda name: pulumi.Output.secret(f"value of {name}"),
            )

        build()
    return record


@pytest.fixture(scope="module")
def record() -> RegistrationMonitor:
    return register()


def list_containers(record: RegistrationMonitor) -> dict[str, Registered]:
    return {
        registered.name: registered
        for registered in record.by_name.values()
        if registered.type.startswith("docker:index/container:")
    }


def test_programs_start_again_by_themselves_and_use_the_nodes_own_network(
    record: RegistrationMonitor,
) -> None:
    containers = list_containers(record)
    assert set(containers) == {
        "spark-1-monitoring-node-exporter",
        "spark-2-monitoring-node-exporter",
        "spark-1-monitoring-prometheus",
        "spark-1-monitoring-alertmanager",
    }
    for container in containers.values():
        assert container.inputs["restart"] == "unless-stopped"
        assert container.inputs["networkMode"] == "host"
        assert container.deletes_first is True, "its name and port are taken until it is gone"
        assert container.deleted_with == "", "its image can only go after it"


def test_a_container_waits_for_its_image_and_its_files(
    record: RegistrationMonitor,
) -> None:
    prometheus = list_containers(record)["spark-1-monitoring-prometheus"]
    assert {
        "spark-1-image-monitoring-prometheus",
        "spark-1-monitoring",
        "spark-1-telemetry",
    } <= prometheus.depends_on


def test_the_webhook_is_on_the_standard_input_of_one_step_alone(
    record: RegistrationMonitor,
) -> None:
    holders = [
        registered.name
        for registered in record.by_name.values()
        if "value of monitoringWebhook" in str(registered.inputs)
    ]
    assert holders == ["spark-1-monitoring"]
