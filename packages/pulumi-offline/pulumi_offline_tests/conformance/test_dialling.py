"""How often and how long a node is dialled that refuses, is unknown, or says nothing."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance.engine import URN, CommandPlugin
from pulumi_offline_tests.conformance.ssh_server import (
    SshServer,
    find_free_port,
    open_silent_listener,
)
from pulumi_offline_tests.conformance.values import from_struct


def dial(plugin: CommandPlugin, **connection: object) -> tuple[str, float]:
    """The error of a create that cannot connect, and the seconds that it took."""
    inputs = plugin.check_successfully(
        {"create": "true", "connection": {"user": "u", **connection}}
    )
    start_s = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create(inputs)
    return str(caught.value.details()), time.monotonic() - start_s


def list_retries(plugin: CommandPlugin) -> list[str]:
    return [line.message for line in plugin.log.list_about(URN)]


@contextmanager
def open_full_listener() -> Iterator[int]:
    """A port whose queue is full: the kernel lets further dials wait without an answer."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        time.sleep(0.2)
        yield port


def start_relay(server: SshServer, port: int) -> subprocess.Popen[bytes]:
    """An OpenSSH client that passes what comes to a port on to the server."""
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]
    command = ["ssh", "-F", "none", "-N", "-i", str(server.keys.folder / "login")]
    command += [argument for option in options for argument in ("-o", option)]
    command += ["-p", str(server.port), "-L", f"127.0.0.1:{port}:127.0.0.1:{server.port}"]
    return subprocess.Popen([*command, "127.0.0.1"])


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_a_node_that_refuses_is_dialled_once_more_than_the_limit_says(
    plugin: CommandPlugin, limit: int
) -> None:
    port = find_free_port()
    text, _ = dial(plugin, host="127.0.0.1", port=port, dialErrorLimit=limit)
    assert text == (
        f"after {limit} failed attempts: dial tcp 127.0.0.1:{port}: connect: connection refused"
    )
    expected = [f"Dial {number}/{limit} failed: retrying" for number in range(1, limit + 1)]
    assert list_retries(plugin) == expected


def test_the_waits_between_dials_grow_by_half_from_a_tenth_of_a_second(
    plugin: CommandPlugin,
) -> None:
    """0.1 + 0.15 + 0.225 + 0.3375 + 0.50625 s = 1.31875 s."""
    _, took_s = dial(plugin, host="127.0.0.1", port=find_free_port(), dialErrorLimit=5)
    assert 1.3 <= took_s < 3


def test_a_name_that_nobody_knows_is_dialled_as_often(plugin: CommandPlugin) -> None:
    text, _ = dial(plugin, host="no-such-host.invalid", dialErrorLimit=1)
    assert text.startswith("after 1 failed attempts: dial tcp: lookup no-such-host.invalid")
    assert text.endswith("no such host")


def test_a_node_that_does_not_answer_the_dial_is_given_the_time_of_one_dial(
    plugin: CommandPlugin,
) -> None:
    with open_full_listener() as port:
        text, took_s = dial(plugin, host="127.0.0.1", port=port, dialErrorLimit=1, perDialTimeout=1)
    assert text == f"after 1 failed attempts: dial tcp 127.0.0.1:{port}: i/o timeout"
    assert 2.1 <= took_s < 4


def test_a_node_that_accepts_and_says_nothing_is_waited_for_whatever_the_limits(
    plugin: CommandPlugin,
) -> None:
    with open_silent_listener() as port:
        connection = {"host": "127.0.0.1", "port": port, "dialErrorLimit": 0, "perDialTimeout": 1}
        inputs = plugin.check_successfully({"create": "true", "connection": connection})
        call = plugin.create_call(inputs)
        with pytest.raises(grpc.FutureTimeoutError):
            call.result(timeout=3)
        plugin.cancel()
        with pytest.raises(grpc.FutureTimeoutError):
            call.result(timeout=1.5)


def test_a_node_that_comes_up_meanwhile_is_reached(
    plugin: CommandPlugin, server: SshServer
) -> None:
    """A relay that starts late stands for a node that boots."""
    port = find_free_port()
    inputs = plugin.check_successfully(
        {
            "create": "echo up",
            "connection": server.build_connection(port=port, dialErrorLimit=-1),
        }
    )
    call = plugin.create_call(inputs)
    plugin.log.wait_for("Dial 2/inf failed: retrying")
    relay = start_relay(server, port)
    try:
        assert from_struct(call.result(timeout=20).properties)["stdout"] == "up"
    finally:
        relay.terminate()
        relay.wait()


def test_cancelling_ends_the_dialling(plugin: CommandPlugin) -> None:
    connection = {"host": "127.0.0.1", "port": find_free_port(), "dialErrorLimit": -1}
    call = plugin.create_call(
        plugin.check_successfully({"create": "true", "connection": connection})
    )
    plugin.log.wait_for("Dial 1/inf failed: retrying")
    plugin.cancel()
    with pytest.raises(grpc.RpcError) as caught:
        call.result(timeout=10)
    assert caught.value.details() == "context canceled"


def test_the_time_given_to_a_resource_ends_the_dialling(plugin: CommandPlugin) -> None:
    """What `custom_timeouts` sets."""
    connection = {"host": "127.0.0.1", "port": find_free_port(), "dialErrorLimit": -1}
    inputs = plugin.check_successfully({"create": "true", "connection": connection})
    start_s = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create(inputs, resource_timeout_s=1)
    assert caught.value.details() == "context deadline exceeded"
    assert 1 <= time.monotonic() - start_s < 4
