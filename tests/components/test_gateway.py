"""A gateway as the engine is asked for it: order, what containers see, where its secrets are."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker
import pytest

from components.gateway import RackGateway, build_gateway
from components.rack import Rack, build_rack
from components.run_log import RunLog
from sparkform.config import parse_config
from sparkform.gateway.paths import PROGRAMS, ROUTERS
from sparkform.plan.rack import plan_rack
from sparkform.plan.secrets import StackSecrets
from tests.components.test_services import build_connections
from tests.support.planning import STACK, build_declaration, load_reports
from tests.support.registrations import Registered, RegistrationMonitor, record_registrations

SECRETS = StackSecrets(frozenset({"gatewayKeys", "apiKey"}))


@pytest.fixture(scope="module")
def record() -> RegistrationMonitor:
    cluster = build_declaration("direct", 2).cluster.to_plain()
    declaration = parse_config(cluster, {}, None, {"node": "spark-2"})
    plan = plan_rack(declaration, load_reports("direct-2-up"), STACK, "new", SECRETS)
    assert plan.gateway is not None
    with record_registrations() as record:

        @pulumi.runtime.test  # type: ignore[untyped-decorator]
        def build() -> None:
            rack, log = Rack(declaration, ()), RunLog([node.name for node in declaration.nodes], [])
            connections = build_connections(declaration)
            resources = build_rack(
                rack, declaration, plan, "the program", connections, lambda key: None, log
            )
            providers = {
                name: docker.Provider(f"{name}-docker", host=f"ssh://{name}")
                for name in plan.docker_nodes
            }
            component = RackGateway({}, pulumi.ResourceOptions(parent=rack))
            assert plan.gateway is not None
            build_gateway(
                component,
                plan.gateway,
                resources,
                providers,
                str(STACK),
                lambda name: pulumi.Output.secret(f"value of {name}"),
            )
            assert component.certificate is not None

        build()
    return record


def list_containers(record: RegistrationMonitor) -> dict[str, Registered]:
    return {
        registered.name.removeprefix("spark-2-gateway-"): registered
        for registered in record.by_name.values()
        if registered.type.startswith("docker:index/container:")
    }


def test_its_processes_start_again_by_themselves_as_root_of_their_container(
    record: RegistrationMonitor,
) -> None:
    containers = list_containers(record)
    assert set(containers) == set(PROGRAMS)
    for program, container in containers.items():
        assert container.inputs["restart"] == "unless-stopped"
        assert container.inputs["user"] == "0:0"
        assert container.inputs["command"][-1] == f"/etc/sparkform/{program}.cfg"
        assert container.deletes_first is True
        writable = [
            mount["target"] for mount in container.inputs["mounts"] if not mount["readOnly"]
        ]
        assert writable == ["/etc/sparkform/run"]


def test_files_and_image_come_first_and_the_edge_last(record: RegistrationMonitor) -> None:
    containers = list_containers(record)
    first = {"spark-2-gateway", "spark-2-image-gateway"}
    assert all(first <= container.depends_on for container in containers.values())
    assert {f"spark-2-gateway-{router}" for router in ROUTERS} <= containers["edge"].depends_on


def test_secrets_are_on_the_standard_input_of_one_step_alone(record: RegistrationMonitor) -> None:
    for name in sorted(SECRETS.names):
        holders = [
            registered.name
            for registered in record.by_name.values()
            if f"value of {name}" in str(registered.inputs)
        ]
        assert holders == ["spark-2-gateway"]


def test_the_certificate_is_read_once_it_is_made(record: RegistrationMonitor) -> None:
    assert "spark-2-gateway" in record.by_name["spark-2-gateway_ca"].depends_on
