"""Check completes inputs, marks secrets, and refuses what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_offline_tests.conformance.values import UNKNOWN, from_struct, is_secret
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin
from pulumi_offline_tests.conformance_docker.specs import container, encoded, service, spec, task


def test_a_container_gets_the_defaults_that_are_not_zero(plugin: DockerPlugin) -> None:
    given = plugin.checked("Container", {"name": "c", "image": "busybox:1"})
    used = given.pop("__defaults")
    assert {name: given[name] for name in used} == {
        "containerReadRefreshTimeoutMilliseconds": 15000,
        "mustRun": True,
        "networkMode": "bridge",
        "removeVolumes": True,
        "restart": "no",
        "start": True,
        "waitTimeout": 60,
    }
    assert set(given) == {"name", "image", *used}


def test_defaults_inside_objects_are_listed_there(plugin: DockerPlugin) -> None:
    devices = [{"hostPath": "/dev/infiniband"}]
    given = plugin.checked("Container", container(devices=devices))
    (device,) = given["devices"]
    assert device == {
        "hostPath": "/dev/infiniband",
        "permissions": "rwm",
        "__defaults": ["permissions"],
    }


def test_a_file_of_a_secret_belongs_to_root_and_is_readable(plugin: DockerPlugin) -> None:
    secrets = [{"secretId": "x", "fileName": "/run/secrets/x"}]
    given = plugin.checked("Service", service(taskSpec=task(containerSpec=spec(secrets=secrets))))
    (secret,) = given["taskSpec"]["containerSpec"]["secrets"]
    assert (secret["fileUid"], secret["fileGid"], secret["fileMode"]) == ("0", "0", 0o444)
    assert given["taskSpec"]["containerSpec"]["isolation"] == "default"


def test_the_data_of_a_secret_are_secret_and_those_of_a_config_are_not(
    plugin: DockerPlugin,
) -> None:
    inputs = {"name": "s", "data": encoded("hush")}
    assert is_secret(plugin.checked("Secret", inputs)["data"])
    assert plugin.checked("ServiceConfig", inputs)["data"] == encoded("hush")


@pytest.mark.parametrize(
    ("kind", "inputs", "said"),
    [
        ("Container", {"name": "c"}, '"image" is required'),
        ("Container", container(restart="never"), "'never' doesn't match the pattern"),
        (
            "Service",
            service(taskSpec=task(restartPolicy={"delay": "5 min"})),
            "'5 min' is not a valid duration",
        ),
        (
            "Service",
            service(taskSpec=task(restartPolicy={"delay": "-5s"})),
            "'-5s' duration must not be negative",
        ),
        ("Service", service(mode={"replicated": {"replicas": -1}}), "'-1' cannot be lower than 0"),
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
    ],
)
def test_wrong_inputs_are_refused_in_a_sentence(
    plugin: DockerPlugin, kind: str, inputs: dict[str, Any], said: str
) -> None:
    refusals = plugin.refusals(kind, inputs)
    assert any(said in reason and "Examine values at" in reason for _, reason in refusals), refusals


def test_a_config_without_data_is_refused(plugin: DockerPlugin) -> None:
    assert plugin.refusals("ServiceConfig", {"name": "c"})


def test_each_wrong_input_is_told(plugin: DockerPlugin) -> None:
    wrong = container(restart="never", mounts=[{"type": "npipe", "target": "/x"}])
    assert len(plugin.refusals("Container", wrong)) == 2


def test_the_providers_inputs_are_kept_in_one_form(plugin: DockerPlugin) -> None:
    config = {"host": "ssh://h", "sshOpts": ["-o", "A=<b> é"]}
    response = plugin.check_config(config)
    kept = from_struct(response.inputs)
    assert (kept["host"], kept["sshOpts"]) == ("ssh://h", '["-o","A=\\u003cb\\u003e é"]')


def test_a_host_that_is_not_known_yet_passes(plugin: DockerPlugin) -> None:
    response = plugin.check_config({"host": UNKNOWN})
    assert not response.failures


def test_an_unknown_key_of_the_provider_is_refused(plugin: DockerPlugin) -> None:
    (failure,) = plugin.check_config({"host": "ssh://h", "hots": "x"}).failures
    assert "hots" in failure.reason


def test_inputs_that_are_not_known_yet_pass(plugin: DockerPlugin) -> None:
    given = plugin.checked("Container", container(image=UNKNOWN, restart=UNKNOWN))
    assert given["image"] == given["restart"] == UNKNOWN
