"""Check completes inputs, marks secrets, and refuses what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_offline_tests.conformance.values import UNKNOWN, from_struct, is_secret
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin
from pulumi_offline_tests.conformance_docker.specs import (
    build_container,
    build_service,
    build_spec,
    build_task,
    encode_base64,
)


def test_a_container_gets_the_defaults_that_are_not_zero(plugin: DockerPlugin) -> None:
    inputs = plugin.check_successfully("Container", {"name": "c", "image": "busybox:1"})
    used = inputs.pop("__defaults")
    assert {name: inputs[name] for name in used} == {
        "containerReadRefreshTimeoutMilliseconds": 15000,
        "mustRun": True,
        "networkMode": "bridge",
        "removeVolumes": True,
        "restart": "no",
        "start": True,
        "waitTimeout": 60,
    }
    assert set(inputs) == {"name", "image", *used}


def test_defaults_inside_objects_are_listed_there(plugin: DockerPlugin) -> None:
    devices = [{"hostPath": "/dev/infiniband"}]
    inputs = plugin.check_successfully("Container", build_container(devices=devices))
    (device,) = inputs["devices"]
    assert device == {
        "hostPath": "/dev/infiniband",
        "permissions": "rwm",
        "__defaults": ["permissions"],
    }


def test_a_file_of_a_secret_belongs_to_root_and_is_readable(plugin: DockerPlugin) -> None:
    secrets = [{"secretId": "x", "fileName": "/run/secrets/x"}]
    inputs = plugin.check_successfully(
        "Service", build_service(taskSpec=build_task(containerSpec=build_spec(secrets=secrets)))
    )
    (secret,) = inputs["taskSpec"]["containerSpec"]["secrets"]
    assert (secret["fileUid"], secret["fileGid"], secret["fileMode"]) == ("0", "0", 0o444)
    assert inputs["taskSpec"]["containerSpec"]["isolation"] == "default"


def test_the_data_of_a_secret_are_secret_and_those_of_a_config_are_not(
    plugin: DockerPlugin,
) -> None:
    inputs = {"name": "s", "data": encode_base64("hush")}
    assert is_secret(plugin.check_successfully("Secret", inputs)["data"])
    assert plugin.check_successfully("ServiceConfig", inputs)["data"] == encode_base64("hush")


@pytest.mark.parametrize(
    ("kind", "inputs", "sentence"),
    [
        ("Container", {"name": "c"}, '"image" is required'),
        ("Container", build_container(restart="never"), "'never' doesn't match the pattern"),
        (
            "Service",
            build_service(taskSpec=build_task(restartPolicy={"delay": "5 min"})),
            "'5 min' is not a valid duration",
        ),
        (
            "Service",
            build_service(taskSpec=build_task(restartPolicy={"delay": "-5s"})),
            "'-5s' duration must not be negative",
        ),
        (
            "Service",
            build_service(mode={"replicated": {"replicas": -1}}),
            "'-1' cannot be lower than 0",
        ),
        (
            "Container",
            build_container(mounts=[{"type": "npipe", "target": "/x"}]),
            "'npipe' doesn't",
        ),
        ("Container", build_container(ulimits=[{"name": "memlock", "soft": -1}]), "hard"),
        ("Secret", {"name": "s"}, '"data" is required'),
        ("Secret", {"name": "s", "data": "not base64!"}, "is not base64 decodeable"),
        ("Service", {"name": "s"}, "is required"),
        (
            "Service",
            build_service(taskSpec=build_task(restartPolicy={"condition": "always"})),
            "'always' doesn't match the pattern '^(none|on-failure|any)$'",
        ),
    ],
)
def test_wrong_inputs_are_refused_in_a_sentence(
    plugin: DockerPlugin, kind: str, inputs: dict[str, Any], sentence: str
) -> None:
    refusals = plugin.list_refusals(kind, inputs)
    assert any(sentence in reason and "Examine values at" in reason for _, reason in refusals), (
        refusals
    )


def test_a_config_without_data_is_refused(plugin: DockerPlugin) -> None:
    assert plugin.list_refusals("ServiceConfig", {"name": "c"})


def test_each_wrong_input_is_told(plugin: DockerPlugin) -> None:
    inputs = build_container(restart="never", mounts=[{"type": "npipe", "target": "/x"}])
    assert len(plugin.list_refusals("Container", inputs)) == 2


def test_the_providers_inputs_are_kept_in_one_form(plugin: DockerPlugin) -> None:
    config = {"host": "ssh://h", "sshOpts": ["-o", "A=<b> é"]}
    response = plugin.check_config(config)
    inputs = from_struct(response.inputs)
    assert (inputs["host"], inputs["sshOpts"]) == ("ssh://h", '["-o","A=\\u003cb\\u003e é"]')


def test_a_host_that_is_not_known_yet_passes(plugin: DockerPlugin) -> None:
    response = plugin.check_config({"host": UNKNOWN})
    assert not response.failures


def test_an_unknown_key_of_the_provider_is_refused(plugin: DockerPlugin) -> None:
    (failure,) = plugin.check_config({"host": "ssh://h", "hots": "x"}).failures
    assert "hots" in failure.reason


def test_inputs_that_are_not_known_yet_pass(plugin: DockerPlugin) -> None:
    inputs = plugin.check_successfully("Container", build_container(image=UNKNOWN, restart=UNKNOWN))
    assert inputs["image"] == inputs["restart"] == UNKNOWN
