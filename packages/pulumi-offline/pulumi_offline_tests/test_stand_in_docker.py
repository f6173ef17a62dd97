"""What holds for the docker stand-in alone: it says what it is, refuses by name, ends in time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline.layout import PACKAGE
from pulumi_offline.plugins.docker import BANNER
from pulumi_offline_tests.conformance.ssh_server import find_free_port
from pulumi_offline_tests.conformance_docker.dockerd import run_dockerd
from pulumi_offline_tests.conformance_docker.node import DockerNode, run_node
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin, run_plugin
from pulumi_offline_tests.conformance_docker.specs import (
    build_container,
    build_service,
    build_spec,
    build_task,
    encode_base64,
)
from pulumi_offline_tests.plugin_process import ROOT, serve_engine_log

STAND_IN = [
    sys.executable,
    "-P",
    str(ROOT / PACKAGE / "launch.py"),
    "pulumi_offline.plugins.docker",
]
END_LIMIT_S = 5.0
NOWHERE: dict[str, Any] = {"host": "ssh://nobody@127.0.0.1:1", "sshOpts": []}


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[DockerPlugin]:
    """A stand-in whose daemon cannot be reached."""
    with run_plugin(tmp_path, NOWHERE, command=STAND_IN) as running:
        yield running


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerNode]:
    with (
        run_dockerd() as dockerd,
        run_node(tmp_path_factory.mktemp("node"), dockerd) as running,
    ):
        yield running


def test_it_says_what_it_is_once_a_run(plugin: DockerPlugin) -> None:
    plugin.configure(NOWHERE)
    lines = plugin.running.log.list_about("")
    assert [(line.severity, line.message) for line in lines] == [("INFO", BANNER)]


@pytest.mark.parametrize(
    ("kind", "inputs", "named"),
    [
        ("Container", build_container(privileged=True), "'privileged'"),
        ("Container", build_container(exitCode=1), "'exitCode'"),
        ("Container", build_container(ulimits=[{"name": "a", "middle": 1}]), "'ulimits[0].middle'"),
        ("Container", build_container(mounts=[{"volumeOptions": {}}]), "'mounts[0].volumeOptions'"),
        ("Service", build_service(updateConfig={}), "'updateConfig'"),
        (
            "Service",
            build_service(taskSpec=build_task(containerSpec=build_spec(sysctl={}))),
            "'taskSpec.containerSpec.sysctl'",
        ),
        *(
            ("Container", build_container(**{name: {}}), f"'{name}'")
            for name in ("healthcheck", "hosts", "rm", "shmSize", "volumes", "workingDir")
        ),
        ("Service", build_service(endpointSpec={}), "'endpointSpec'"),
        ("Service", build_service(mode={"global": True}), "'mode.global'"),
        (
            "Service",
            build_service(taskSpec=build_task(networksAdvanceds=[{"name": "host"}])),
            "'taskSpec.networksAdvanceds[0].name'",
        ),
        ("ServiceConfig", {"name": "x", "dataRaw": "x"}, "'dataRaw'"),
    ],
)
def test_what_it_does_not_know_is_refused_in_so_many_words(
    plugin: DockerPlugin, kind: str, inputs: dict[str, Any], named: str
) -> None:
    reasons = [reason for _, reason in plugin.list_refusals(kind, inputs)]
    assert any(item.startswith(f"the stand-in does not support {named}") for item in reasons), (
        reasons
    )


@pytest.mark.parametrize(
    "kind", ["image:Image", "remoteImage:RemoteImage", "network:Network", "volume:Volume"]
)
def test_other_resources_of_the_official_plugin_are_refused_by_name(
    plugin: DockerPlugin, kind: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.check(f"docker:index/{kind}", {})
    assert caught.value.details() == f"the stand-in does not support docker:index/{kind}"


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"host": "tcp://127.0.0.1:2375"}, "the stand-in does not support hosts such as 'tcp://"),
        ({"host": "unix:///var/run/docker.sock"}, "the stand-in does not support hosts such as"),
        ({}, "the stand-in needs the provider's 'host'"),
        ({"host": "ssh://a:b@h"}, "may have neither a password nor a query"),
        ({"host": "ssh://h:port"}, "is not of the form ssh://user@host:port"),
        ({**NOWHERE, "certPath": "/x"}, "does not support the provider's 'certPath'"),
        ({**NOWHERE, "registryAuth": []}, "does not support the provider's 'registryAuth'"),
    ],
)
def test_other_ways_to_a_daemon_are_refused(
    plugin: DockerPlugin, config: dict[str, Any], sentence: str
) -> None:
    (failure,) = plugin.check_config(config).failures
    assert sentence in failure.reason
    assert "a:b" not in failure.reason


def test_wrong_kinds_of_values_are_refused(plugin: DockerPlugin) -> None:
    """The official plugin takes a text for a number, and a program would lean on it."""
    inputs = build_container(mustRun="true", destroyGraceSeconds=1.5, envs="A=1", logOpts={"a": 1})
    reasons = " ".join(reason for _, reason in plugin.list_refusals("Container", inputs))
    for sentence in (
        "'mustRun' must be a boolean",
        "'destroyGraceSeconds' must be an integer",
        "'envs' must be a list of strings",
        "'logOpts.a' must be a string",
    ):
        assert sentence in reasons


def test_no_failure_leaves_a_traceback_or_a_secret_behind(plugin: DockerPlugin) -> None:
    messages = []
    for kind, inputs in [
        ("Secret", {"name": "s", "data": encode_base64("hush")}),
        ("Service", build_service()),
        ("Container", build_container()),
    ]:
        with pytest.raises(grpc.RpcError) as caught:
            plugin.create(kind, inputs)
        messages.append(str(caught.value.details()))
    own_words = plugin.running.stderr_path.read_text()
    output = "\n".join([*messages, own_words, *(line.message for line in plugin.running.log.lines)])
    assert output.count("Connection refused") == 3, "the control: texts are looked at"
    for secret in ("hush", encode_base64("hush")):
        assert secret not in output
    assert "Unexpected" not in output
    assert own_words == ""


def test_it_lives_as_long_as_the_engine_and_no_longer(tmp_path: Path) -> None:
    with serve_engine_log() as (_, engine_port):
        process = subprocess.Popen([*STAND_IN, f"127.0.0.1:{engine_port}"], stdout=subprocess.PIPE)
        assert process.stdout
        with process.stdout as stdout:
            assert stdout.readline().strip().isdigit()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=3)
    assert process.wait(timeout=END_LIMIT_S) == 0


def test_it_ends_in_time_although_a_call_is_under_way(node: DockerNode, tmp_path: Path) -> None:
    """A delete that waits for a container's grace period must not keep the plugin alive."""
    config = node.build_config()
    with run_plugin(tmp_path, config, command=STAND_IN) as plugin:
        deaf = build_container(command=["sleep", "1000"], destroyGraceSeconds=60)
        resource = plugin.create("Container", deaf)
        deleting = threading.Thread(target=fail_to_delete, args=(plugin, resource))
        deleting.start()
        time.sleep(1)
        plugin.running.process.terminate()
        assert plugin.running.process.wait(timeout=END_LIMIT_S) == 0
        deleting.join()


def fail_to_delete(plugin: DockerPlugin, resource: Any) -> None:
    with pytest.raises(grpc.RpcError):
        plugin.delete(resource)


def test_logins_of_whoever_runs_it_are_not_used(node: DockerNode, tmp_path: Path) -> None:
    """Docker's library would read them from the home folder and hand them to the daemon."""
    home = tmp_path / "home"
    (home / ".docker").mkdir(parents=True)
    helper = '{"credsStore": "none-such", "auths": {"127.0.0.1:1": {}}}'
    (home / ".docker" / "config.json").write_text(helper)
    environment = {"HOME": str(home), "DOCKER_CONFIG": str(home / ".docker")}
    with run_plugin(tmp_path, node.build_config(), environment, STAND_IN) as plugin:
        with pytest.raises(grpc.RpcError) as caught:
            plugin.create("Container", build_container(image=f"127.0.0.1:{find_free_port()}/x:1"))
        assert "connection refused" in caught.value.details()
