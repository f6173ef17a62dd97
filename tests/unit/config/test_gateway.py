"""The block gateway: off by default, what it must agree with, and what it changes of services."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkform.config import load_stack, parse_config
from sparkform.errors import InputError
from tests.unit.config.support import build_changed_cluster, build_cluster, vllm


def list_messages(
    gateway: object,
    services: object = None,
    cluster: object = None,
    monitoring: object = None,
) -> list[str]:
    try:
        parse_config(cluster or build_cluster(2), services, monitoring, gateway)
    except InputError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_there_is_no_gateway_unless_declared() -> None:
    assert parse_config(build_cluster(2)).gateway is None


def test_an_empty_block_has_safe_defaults() -> None:
    declaration = parse_config(build_cluster(2), {}, None, {})
    gateway = declaration.gateway
    assert gateway is not None
    assert declaration.gateway_node.is_head
    assert (gateway.port, gateway.tls.certificate) == (8443, "made")
    assert "@sha256:" in gateway.image
    again = parse_config(build_cluster(2), {}, None, gateway.to_plain())
    assert again.gateway == gateway


def test_services_on_its_node_listen_on_loopback_unless_they_name_an_address() -> None:
    services = {
        "here": vllm(nodes=["spark-1"]),
        "named": vllm(nodes=["spark-1"], port=8001, bind="0.0.0.0", servedName="b"),
        "there": vllm(nodes=["spark-2"], servedName="c"),
    }
    plain = parse_config(build_cluster(2), services)
    assert {service.bind for service in plain.services.values()} == {"0.0.0.0"}
    behind = parse_config(build_cluster(2), services, None, {})
    binds = {name: service.bind for name, service in behind.services.items()}
    assert binds == {"here": "127.0.0.1", "named": "0.0.0.0", "there": "0.0.0.0"}
    dumped = {name: behind.service_to_plain(name) for name in services}
    assert parse_config(build_cluster(2), dumped, None, {}).services == behind.services
    replicated = {"chat": vllm(nodes=["spark-1", "spark-2"], replicas=2)}
    groups = parse_config(build_cluster(2), replicated, None, {}).services
    binds = {name: service.bind for name, service in groups.items()}
    assert binds == {"chat": "127.0.0.1", "chat_2": "0.0.0.0"}


@pytest.mark.parametrize(
    ("gateway", "message"),
    [
        ({"node": "spark-9"}, "gateway.node: is not a node of the cluster (got spark-9)"),
        ({"nodes": 1}, "gateway.nodes: is not a known key"),
        ({"port": 8000}, "gateway.port: is also the port of service chat on node spark-1"),
        ({"port": 22}, "gateway.port: is also the port of SSH on node spark-1"),
        ({"port": 9100}, "gateway.port: is also the port of monitoring's nodeExporter"),
        ({"metricsPort": 8443}, "gateway.metricsPort: is also the gateway's port"),
        ({"aliases": {"best": "chit"}}, "gateway.aliases.best: is no service (got chit)"),
        ({"aliases": {"m": "chat"}}, "gateway.aliases.m: is already the name of a model"),
        (
            {"tls": {"certificate": "none", "names": ["a.example"]}},
            "gateway.tls.names: is not allowed with certificate: none",
        ),
        ({"tls": {"certificate": "maybe"}}, "gateway.tls.certificate"),
        ({"limits": {"bodyMib": 4096}}, "gateway.limits.bodyMib"),
        ([], "gateway: must be"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(gateway: object, message: str) -> None:
    services = {"chat": vllm(nodes=["spark-1"], servedName="m")}
    messages = list_messages(gateway, services, monitoring={})
    assert any(message in text for text in messages), messages
    assert list_messages({"aliases": {"best": "chat"}}, services, monitoring={}) == []


def test_a_node_that_is_away_cannot_run_it() -> None:
    cluster = build_changed_cluster(1, away=True)
    (message,) = list_messages({"node": "spark-2"}, cluster=cluster)
    assert message.startswith("gateway.node: is away (got spark-2)")


def test_a_service_that_only_its_own_node_reaches_is_refused() -> None:
    services = {"chat": vllm(nodes=["spark-2"], bind="127.0.0.1")}
    (message,) = list_messages({}, services)
    assert message.startswith("services.chat.bind: is reached on spark-2 alone")
    assert list_messages({"node": "spark-2"}, services) == []


def test_two_services_of_one_model_cannot_be_told_apart() -> None:
    services = {
        "first": vllm(nodes=["spark-1"], servedName="m"),
        "second": vllm(nodes=["spark-2"], servedName="m"),
    }
    (message,) = list_messages({}, services)
    assert message.startswith("services.second.servedName: is also the name of service first's")
    assert list_messages(None, services) == []


def test_a_service_may_not_take_the_name_of_its_image() -> None:
    services = {"gateway": vllm(nodes=["spark-1"])}
    assert list_messages(None, services) == []
    assert "rename the service" in list_messages({}, services)[0]


STACK = """\
config:
  sparkform:cluster:
    user: nvidia
    nodes: [{name: spark-1, host: 10.0.0.1}]
    fabric: {topology: none}
  sparkform:gateway: {}
  sparkform:gatewayKeys: %s
"""


@pytest.mark.parametrize("keys", ["{secure: v1:x}", "{alice: {secure: v1:x}, bob: {secure: v1:y}}"])
def test_keys_are_one_secret_or_one_for_each_name(keys: str, tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(STACK % keys)
    assert load_stack(path).gateway is not None


@pytest.mark.parametrize("keys", ["{alice: plain}", "{alice: {secure: v1:x}, bob: plain}", "{}"])
def test_a_key_in_plain_is_refused_and_not_repeated(keys: str, tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(STACK % keys)
    with pytest.raises(InputError) as caught:
        load_stack(path)
    (problem,) = caught.value.problems
    assert problem.path == "config.sparkform:gatewayKeys"
    assert "--path sparkform:gatewayKeys.NAME" in str(problem)
    assert "plain" not in str(problem)
