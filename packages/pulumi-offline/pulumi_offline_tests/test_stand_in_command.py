"""What holds for the stand-in alone: it says what it is, starts fast, keeps quiet, ends in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline.layout import PACKAGE
from pulumi_offline.plugins.command import BANNER
from pulumi_offline.plugins.command.command import Printed, build_command
from pulumi_offline.plugins.common.values import Properties, Secret
from pulumi_offline_tests.conformance.engine import URN, CommandPlugin, run_plugin
from pulumi_offline_tests.conformance.ssh_server import (
    Keys,
    SshServer,
    find_free_port,
    make_keys,
    run_ssh_server,
)
from pulumi_offline_tests.conformance.waiting import wait_until
from pulumi_offline_tests.plugin_process import ROOT, serve_engine_log

STAND_IN = [
    sys.executable,
    "-P",
    str(ROOT / PACKAGE / "launch.py"),
    "pulumi_offline.plugins.command",
]
START_LIMIT_S = 0.7
END_LIMIT_S = 5.0


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[SshServer]:
    with run_ssh_server(tmp_path_factory.mktemp("sshd"), keys) as running:
        yield running


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[CommandPlugin]:
    with run_plugin(tmp_path, command=STAND_IN) as running:
        yield running


def start_effort_s() -> float:
    """Processor time until the plugin serves: the wall clock would measure the machine's load."""
    process = subprocess.Popen([*STAND_IN, "127.0.0.1:1"], stdout=subprocess.PIPE)
    assert process.stdout
    with process.stdout as stdout:
        assert stdout.readline().strip().isdigit()
    process.send_signal(signal.SIGKILL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = status
    return used.ru_utime + used.ru_stime


def test_it_starts_in_time() -> None:
    assert min(start_effort_s() for _ in range(3)) < START_LIMIT_S


def test_it_says_what_it_is_once_a_run(plugin: CommandPlugin) -> None:
    plugin.configure()
    plugin.configure()
    assert [(line.severity, line.message) for line in plugin.log.list_about("")] == [
        ("INFO", BANNER)
    ]


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        ({"connection": {"host": "h"}, "dir": "/"}, "'dir'"),
        ({"connection": {"host": "h", "timeout": 1}}, "'connection.timeout'"),
        (
            {"connection": {"host": "h", "proxy": {"host": "p", "proxy": {}}}},
            "'connection.proxy.proxy'",
        ),
        ({"connection": {"host": "h"}, "logging": "all"}, "the logging 'all'"),
    ],
)
def test_what_it_does_not_know_is_refused_in_so_many_words(
    plugin: CommandPlugin, inputs: dict[str, object], named: str
) -> None:
    (failure,) = plugin.check(inputs).failures
    assert failure.reason.startswith("the stand-in does not support ")
    assert named in failure.reason


@pytest.mark.parametrize("kind", ["local:Command", "remote:CopyToRemote", "remote:CopyFile"])
def test_other_resources_of_the_official_plugin_are_refused_by_name(
    plugin: CommandPlugin, kind: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.check({}, urn=URN.replace("remote:Command", kind))
    assert caught.value.details() == f"the stand-in does not support command:{kind}"


def test_a_line_at_which_the_official_plugin_hangs_is_an_error_that_says_so(
    plugin: CommandPlugin, server: SshServer
) -> None:
    command = "head -c 70000 /dev/zero | tr '\\0' a"
    inputs = plugin.check_successfully({"create": command, "connection": server.build_connection()})
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create(inputs)
    assert "65536 bytes or more: the official plugin hangs" in caught.value.details()


def test_no_failure_leaves_a_traceback_or_a_secret_behind(
    plugin: CommandPlugin, server: SshServer
) -> None:
    passphrase = "never to be seen"
    failing = [
        server.build_connection(port=find_free_port()),
        server.build_connection(hostKey="junk"),
        server.build_connection(privateKey="junk-key-material"),
        server.build_connection(privateKeyPassword=passphrase),
        server.build_connection(user="nobody-here", password=passphrase, privateKey=None),
        server.build_connection(
            proxy=server.build_connection(port=find_free_port(), password=passphrase)
        ),
        server.build_connection(),
    ]
    messages = []
    for connection in failing:
        inputs = plugin.check_successfully({"create": "exit 1", "connection": connection})
        with pytest.raises(grpc.RpcError) as caught:
            plugin.create(inputs)
        messages.append(str(caught.value.details()))
    output = "\n".join([*messages, plugin.stderr, *(line.message for line in plugin.log.lines)])
    assert len(messages) == len(failing)
    assert "Process exited with status 1" in output, "the control: texts are looked at"
    for secret in (passphrase, "junk-key-material", server.keys.login.splitlines()[2]):
        assert secret not in output
    assert "Unexpected" not in output
    assert plugin.stderr == ""


def test_it_lives_as_long_as_the_engine_and_no_longer(tmp_path: Path) -> None:
    """It looks for the engine, not for its parent: a parent may be gone before one can look."""
    with serve_engine_log() as (_, engine_port):
        process = subprocess.Popen([*STAND_IN, f"127.0.0.1:{engine_port}"], stdout=subprocess.PIPE)
        assert process.stdout
        with process.stdout as stdout:
            assert stdout.readline().strip().isdigit()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=3)
    assert process.wait(timeout=END_LIMIT_S) == 0


def test_a_proxy_in_the_environment_does_not_come_between_engine_and_plugin(
    tmp_path: Path,
) -> None:
    nowhere = f"http://127.0.0.1:{find_free_port()}"
    proxies = {"http_proxy": nowhere, "https_proxy": nowhere, "grpc_proxy": nowhere}
    with run_plugin(tmp_path, {**proxies, "no_proxy": ""}, STAND_IN) as plugin:
        plugin.log.wait_for("stand-in")


def test_a_failure_after_the_engine_gave_up_leaves_no_traceback(
    plugin: CommandPlugin, server: SshServer, tmp_path: Path
) -> None:
    command = f"touch {tmp_path}/began; sleep 1; touch {tmp_path}/ended; exit 1"
    inputs = plugin.check_successfully({"create": command, "connection": server.build_connection()})
    call = plugin.create_call(inputs)
    for name in ("began", "ended"):
        wait_until(tmp_path / name)
        call.cancel()
    time.sleep(0.5)
    plugin.check_successfully({"connection": {"host": "h"}})
    assert plugin.stderr == ""


def test_a_command_can_be_shown_without_its_secrets() -> None:
    """Whoever prints one by mistake gives nothing away."""
    login = {"password": "pw-1", "privateKey": "key-1", "privateKeyPassword": "pw-2"}
    inputs: Properties = {
        "connection": Secret({"host": "h", **login, "proxy": {"host": "p", **login}}),
        "stdin": "stdin-1",
        "environment": {"A": "value-1"},
    }
    output = repr(build_command(inputs, "true", Printed(), None))
    assert "host='p'" in output
    for secret in ("pw-1", "pw-2", "key-1", "stdin-1", "value-1"):
        assert secret not in output
