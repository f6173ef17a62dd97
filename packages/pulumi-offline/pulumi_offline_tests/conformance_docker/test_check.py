"""Check completes inputs, makes up names, marks secrets, and refuses what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_offline_tests.conformance.values import UNKNOWN, from_struct, is_secret, reveal
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin
from pulumi_offline_tests.conformance_docker.specs import container, encoded, service, spec, task


def test_a_container_gets_the_defaults_that_are_not_zero(plugin: DockerPlugin) -> None:
    inputs = plugin.checked("Container", {"name": "c", "image": "busybox:1"})
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
    health = {"tests": ["CMD", "true"], "interval": "10s"}
    inputs = plugin.checked("Container", container(devices=devices, healthcheck=health))
    (device,) = inputs["devices"]
    assert device == {
        "hostPath": "/dev/infiniband",
        "permissions": "rwm",
        "__defaults": ["permissions"],
    }
    assert inputs["healthcheck"]["startPeriod"] == "0s"
    assert "interval" not in inputs["healthcheck"]["__defaults"]


def test_a_file_of_a_secret_belongs_to_root_and_is_readable(plugin: DockerPlugin) -> None:
    secrets = [{"secretId": "x", "fileName": "/run/secrets/x"}]
    inputs = plugin.checked("Service", service(taskSpec=task(containerSpec=spec(secrets=secrets))))
    (secret,) = inputs["taskSpec"]["containerSpec"]["secrets"]
    assert (secret["fileUid"], secret["fileGid"], secret["fileMode"]) == ("0", "0", 0o444)
    assert inputs["taskSpec"]["containerSpec"]["isolation"] == "default"


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        ("Container", {"image": "busybox:1"}),
        ("Service", {"taskSpec": task()}),
        ("Secret", {"data": encoded("x")}),
        ("ServiceConfig", {"data": encoded("x")}),
        ("Network", {"driver": "bridge"}),
    ],
)
def test_what_has_no_name_gets_one_and_keeps_it(
    plugin: DockerPlugin, kind: str, inputs: dict[str, Any]
) -> None:
    inputs_value = plugin.checked(kind, inputs)
    assert inputs_value["name"].startswith("thing-")
    assert len(inputs_value["name"]) == len("thing-") + 7
    assert "name" in inputs_value["__defaults"]
    assert plugin.checked(kind, inputs, {**inputs_value, "name": "older"})["name"] == "older"


def test_an_image_gets_no_name(plugin: DockerPlugin) -> None:
    assert len(plugin.refusals("RemoteImage", {})) == 1


def test_the_data_of_a_secret_are_secret_and_those_of_a_config_are_not(
    plugin: DockerPlugin,
) -> None:
    inputs = {"name": "s", "data": encoded("hush")}
    assert is_secret(plugin.checked("Secret", inputs)["data"])
    assert plugin.checked("ServiceConfig", inputs)["data"] == encoded("hush")


@pytest.mark.parametrize(
    ("kind", "inputs", "message"),
    [
        ("Container", {"name": "c"}, '"image" is required'),
        ("Container", container(restart="never"), "'never' doesn't match the pattern"),
        (
            "Container",
            container(healthcheck={"interval": "5 min"}),
            "'5 min' is not a valid duration",
        ),
        (
            "Container",
            container(healthcheck={"interval": "-5s"}),
            "'-5s' duration must not be negative",
        ),
        ("Container", container(healthcheck={"retries": -1}), "'-1' cannot be lower than 0"),
        (
            "Container",
            container(volumes=[{"hostPath": "relative", "containerPath": "/x"}]),
            "'relative' must be an absolute path",
        ),
        ("Container", container(mounts=[{"type": "npipe", "target": "/x"}]), "'npipe' doesn't"),
        ("Container", container(ulimits=[{"name": "memlock", "soft": -1}]), "hard"),
        ("Secret", {"name": "s"}, '"data" is required'),
        ("Secret", {"name": "s", "data": "not base64!"}, "is not base64 decodeable"),
        ("Service", {"name": "s"}, "is required"),
        (
            "Service",
            service(taskSpec=task(restartPolicy={"condition": "always"})),
            "'always' doesn't match the pattern '^(none|on-failure|any)$'",
        ),
        ("Service", service(endpointSpec={"mode": "nat"}), "'nat' doesn't match the pattern"),
    ],
)
def test_wrong_inputs_are_refused_in_a_sentence(
    plugin: DockerPlugin, kind: str, inputs: dict[str, Any], message: str
) -> None:
    refusals = plugin.refusals(kind, inputs)
    assert any(message in reason and "Examine values at" in reason for _, reason in refusals), (
        refusals
    )


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        ("ServiceConfig", {"name": "c"}),
        ("ServiceConfig", {"name": "c", "data": encoded("x"), "dataRaw": "x"}),
        ("Service", service(mode={"replicated": {"replicas": 1}, "global": True})),
    ],
)
def test_what_excludes_one_another_is_refused(
    plugin: DockerPlugin, kind: str, inputs: dict[str, Any]
) -> None:
    assert plugin.refusals(kind, inputs)


def test_each_wrong_input_is_told(plugin: DockerPlugin) -> None:
    wrong = container(restart="never", healthcheck={"interval": "x"})
    assert len(plugin.refusals("Container", wrong)) == 2


def test_the_providers_inputs_are_kept_in_one_form_and_logins_are_secret(
    plugin: DockerPlugin,
) -> None:
    login = {"username": "me", "address": "r", "password": "pw-1"}
    config = {"host": "ssh://h", "sshOpts": ["-o", "A=<b> é"], "registryAuth": [login]}
    response = plugin.check_config(config)
    remaining = from_struct(response.inputs)
    assert (remaining["host"], remaining["sshOpts"]) == ("ssh://h", '["-o","A=\\u003cb\\u003e é"]')
    assert is_secret(remaining["registryAuth"])
    expected = '[{"address":"r","password":"pw-1","username":"me"}]'
    assert reveal(remaining["registryAuth"]) == expected


def test_a_host_that_is_not_known_yet_passes(plugin: DockerPlugin) -> None:
    response = plugin.check_config({"host": UNKNOWN})
    assert not response.failures


def test_an_unknown_key_of_the_provider_is_refused(plugin: DockerPlugin) -> None:
    (failure,) = plugin.check_config({"host": "ssh://h", "hots": "x"}).failures
    assert "hots" in failure.reason


def test_inputs_that_are_not_known_yet_pass(plugin: DockerPlugin) -> None:
    inputs = plugin.checked("Container", container(image=UNKNOWN, restart=UNKNOWN))
    assert inputs["image"] == inputs["restart"] == UNKNOWN
