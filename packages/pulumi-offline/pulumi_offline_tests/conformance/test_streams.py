"""Input and output beyond the sizes at which buffers and gRPC's own limit would show."""

from __future__ import annotations

import hashlib
import random

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance.engine import CommandPlugin
from pulumi_offline_tests.conformance.ssh_server import SshServer


@pytest.fixture
def plugin(shared_plugin: CommandPlugin) -> CommandPlugin:
    """No test here looks at log lines, so one plugin serves them all."""
    return shared_plugin


MIB = 1024 * 1024


def make_noise(size: int) -> str:
    return "".join(random.Random(size).choices("abcdefgh\n", k=size))


@pytest.mark.parametrize("size", [3 * MIB, 9 * MIB])
def test_a_large_stdin_arrives_whole(plugin: CommandPlugin, server: SshServer, size: int) -> None:
    text = make_noise(size)
    inputs = {"create": "sha256sum", "stdin": text, "connection": server.build_connection()}
    printed = plugin.create(plugin.check_successfully(inputs))["stdout"]
    assert printed.split()[0] == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("size", [3 * MIB, 9 * MIB])
def test_a_large_stdout_comes_back_whole(
    plugin: CommandPlugin, server: SshServer, size: int
) -> None:
    inputs = {
        "create": f"yes 0123456789abcdef | head -c {size}; echo .",
        "logging": "none",
        "connection": server.build_connection(),
    }
    printed = plugin.create(plugin.check_successfully(inputs))["stdout"]
    assert len(printed) == size + 1
    assert printed.endswith(".")


def test_input_and_output_flow_at_the_same_time(plugin: CommandPlugin, server: SshServer) -> None:
    text = make_noise(6 * MIB)
    inputs = {
        "create": "cat",
        "stdin": text,
        "logging": "none",
        "connection": server.build_connection(),
    }
    assert plugin.create(plugin.check_successfully(inputs))["stdout"] == text.removesuffix("\n")


def test_a_command_that_leaves_much_input_unread_fails_though_it_ends_well(
    plugin: CommandPlugin, server: SshServer
) -> None:
    inputs = {
        "create": "true",
        "stdin": make_noise(8 * MIB),
        "connection": server.build_connection(),
    }
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create(plugin.check_successfully(inputs))
    assert caught.value.details().startswith('EOF: running "true"')


def test_a_command_may_leave_a_little_input_unread(
    plugin: CommandPlugin, server: SshServer
) -> None:
    inputs = {"create": "true", "stdin": make_noise(MIB), "connection": server.build_connection()}
    assert plugin.create(plugin.check_successfully(inputs))["stdout"] == ""
