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
from pulumi_offline_tests.conformance.ssh_server import free_port
from pulumi_offline_tests.conformance_docker.dockerd import running_dockerd
from pulumi_offline_tests.conformance_docker.node import Node, running_node
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin, running_plugin
from pulumi_offline_tests.conformance_docker.specs import container, encoded, service, spec, task
from pulumi_offline_tests.plugin_process import ROOT, engine_log

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
    with running_plugin(tmp_path, NOWHERE, command=STAND_IN) as running:
        yield running


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with (
        running_dockerd() as dockerd,
        running_node(tmp_path_factory.mktemp("node"), dockerd) as running,
    ):
        yield running


def test_it_says_what_it_is_once_a_run(plugin: DockerPlugin) -> None:
    plugin.configure(NOWHERE)
    lines = plugin.running.log.about("")
    assert [(line.severity, line.message) for line in lines] == [("INFO", BANNER)]


@pytest.mark.parametrize(
    ("kind", "inputs", "named"),
    [
        ("Container", container(privileged=True), "'privileged'"),
        ("Container", container(exitCode=1), "'exitCode'"),
        ("Container", container(ulimits=[{"name": "a", "middle": 1}]), "'ulimits[0].middle'"),
        ("Container", container(mounts=[{"volumeOptions": {}}]), "'mounts[0].volumeOptions'"),
        ("Service", service(updateConfig={}), "'updateConfig'"),
        (
            "Service",
            service(taskSpec=task(containerSpec=spec(sysctl={}))),
            "'taskSpec.containerSpec.sysctl'",
        ),
        ("RemoteImage", {"name": "x", "build": {}}, "'build'"),
    ],
)
def test_what_it_does_not_know_is_refused_in_so_many_words(
    plugin: DockerPlugin, kind: str, inputs: dict[str, Any], named: str
) -> None:
    reasons = [reason for _, reason in plugin.refusals(kind, inputs)]
    assert any(item.startswith(f"the stand-in does not know {named}") for item in reasons), reasons


@pytest.mark.parametrize("kind", ["image:Image", "volume:Volume", "tag:Tag", "plugin:Plugin"])
def test_other_resources_of_the_official_plugin_are_refused_by_name(
    plugin: DockerPlugin, kind: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.check(f"docker:index/{kind}", {})
    assert caught.value.details() == f"the stand-in does not know docker:index/{kind}"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"host": "tcp://127.0.0.1:2375"}, "the stand-in does not know hosts such as 'tcp://"),
        ({"host": "unix:///var/run/docker.sock"}, "the stand-in does not know hosts such as"),
        ({}, "the stand-in needs the provider's 'host'"),
        ({"host": "ssh://a:b@h"}, "may have neither a password nor a query"),
        ({"host": "ssh://h:port"}, "is not of the form ssh://user@host:port"),
        ({**NOWHERE, "certPath": "/x"}, "does not know the provider's 'certPath'"),
        (
            {**NOWHERE, "registryAuth": [{"address": "r", "configFile": "x"}]},
            "does not know the provider's 'registryAuth.configFile'",
        ),
    ],
)
def test_other_ways_to_a_daemon_are_refused(
    plugin: DockerPlugin, config: dict[str, Any], message: str
) -> None:
    (failure,) = plugin.check_config(config).failures
    assert message in failure.reason
    assert "a:b" not in failure.reason


def test_wrong_kinds_of_values_are_refused(plugin: DockerPlugin) -> None:
    """The official plugin takes a text for a number, and a program would lean on it."""
    wrong = container(mustRun="true", stopTimeout=1.5, envs="A=1", logOpts={"a": 1})
    reasons = " ".join(reason for _, reason in plugin.refusals("Container", wrong))
    for reported in (
        "'mustRun' must be a boolean",
        "'stopTimeout' must be an integer",
        "'envs' must be a strings",
        "'logOpts.a' must be a string",
    ):
        assert reported in reasons


def test_no_failure_leaves_a_traceback_or_a_secret_behind(plugin: DockerPlugin) -> None:
    login = {"address": "registry.example", "username": "u", "password": "never-to-be-seen"}
    plugin.configure({**NOWHERE, "registryAuth": [login]})
    reported = []
    for kind, inputs in [
        ("Secret", {"name": "s", "data": encoded("hush")}),
        ("RemoteImage", {"name": "registry.example/x:1"}),
        ("Container", container()),
    ]:
        with pytest.raises(grpc.RpcError) as caught:
            plugin.create(kind, inputs)
        reported.append(str(caught.value.details()))
    own_words = plugin.running.stderr_path.read_text()
    message = "\n".join(
        [*reported, own_words, *(line.message for line in plugin.running.log.lines)]
    )
    assert message.count("Connection refused") == 3, "the control: texts are looked at"
    for secret in ("hush", encoded("hush"), "never-to-be-seen"):
        assert secret not in message
    assert "Unexpected" not in message
    assert own_words == ""


def test_it_lives_as_long_as_the_engine_and_no_longer(tmp_path: Path) -> None:
    with engine_log() as (_, engine_port):
        process = subprocess.Popen([*STAND_IN, f"127.0.0.1:{engine_port}"], stdout=subprocess.PIPE)
        assert process.stdout
        with process.stdout as stdout:
            assert stdout.readline().strip().isdigit()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=3)
    assert process.wait(timeout=END_LIMIT_S) == 0


def test_it_ends_in_time_although_a_call_is_under_way(node: Node, tmp_path: Path) -> None:
    """A delete that waits for a container's grace period must not keep the plugin alive."""
    config = node.config()
    with running_plugin(tmp_path, config, command=STAND_IN) as plugin:
        deaf = container(command=["sleep", "1000"], destroyGraceSeconds=60)
        result = plugin.create("Container", deaf)
        deleting = threading.Thread(target=failing_delete, args=(plugin, result))
        deleting.start()
        time.sleep(1)
        plugin.running.process.terminate()
        assert plugin.running.process.wait(timeout=END_LIMIT_S) == 0
        deleting.join()


def failing_delete(plugin: DockerPlugin, result: Any) -> None:
    with pytest.raises(grpc.RpcError):
        plugin.delete(result)


def test_logins_of_whoever_runs_it_are_not_used(node: Node, tmp_path: Path) -> None:
    """Docker's library would read them from the home folder and hand them to the daemon."""
    home = tmp_path / "home"
    (home / ".docker").mkdir(parents=True)
    helper = '{"credsStore": "none-such", "auths": {"127.0.0.1:1": {}}}'
    (home / ".docker" / "config.json").write_text(helper)
    environment = {"HOME": str(home), "DOCKER_CONFIG": str(home / ".docker")}
    with running_plugin(tmp_path, node.config(), environment, STAND_IN) as plugin:
        with pytest.raises(grpc.RpcError) as caught:
            plugin.create("RemoteImage", {"name": f"127.0.0.1:{free_port()}/x:1"})
        assert "connection refused" in caught.value.details()
