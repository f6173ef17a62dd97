"""Many commands at once, and what cancelling or losing the plugin does to commands under way."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance.engine import URN, CommandPlugin
from pulumi_offline_tests.conformance.ssh_server import SshServer
from pulumi_offline_tests.conformance.values import from_struct
from pulumi_offline_tests.conformance.waiting import wait_until


def build_slow_command(plugin: CommandPlugin, server: SshServer, folder: Path) -> dict[str, Any]:
    command = f"touch {folder}/began; sleep 2; touch {folder}/ended; echo done"
    return plugin.check_successfully({"create": command, "connection": server.build_connection()})


def test_commands_on_one_node_run_side_by_side(plugin: CommandPlugin, server: SshServer) -> None:
    inputs = plugin.check_successfully(
        {"create": "sleep 2; echo $$", "connection": server.build_connection()}
    )
    plugin.create(
        plugin.check_successfully({"create": "true", "connection": server.build_connection()})
    )
    start_s = time.monotonic()
    calls = [plugin.create_call(inputs, urn=f"{URN}-{number}") for number in range(16)]
    printed = {from_struct(call.result().properties)["stdout"] for call in calls}
    assert len(printed) == 16
    assert time.monotonic() - start_s < 8, "16 commands of 2 s ran one after another"


def test_the_plugin_answers_while_a_command_runs(
    plugin: CommandPlugin, server: SshServer, tmp_path: Path
) -> None:
    call = plugin.create_call(build_slow_command(plugin, server, tmp_path))
    wait_until(tmp_path / "began")
    start_s = time.monotonic()
    plugin.check_successfully({"connection": {"host": "h"}})
    assert time.monotonic() - start_s < 1
    assert not call.done()
    call.result()


def test_a_cancelled_run_lets_a_command_under_way_come_to_its_end(
    plugin: CommandPlugin, server: SshServer, tmp_path: Path
) -> None:
    call = plugin.create_call(build_slow_command(plugin, server, tmp_path))
    wait_until(tmp_path / "began")
    plugin.cancel()
    assert not (tmp_path / "ended").exists()
    assert from_struct(call.result(timeout=10).properties)["stdout"] == "done"
    assert (tmp_path / "ended").exists()


def test_after_a_cancel_a_command_that_can_be_dialled_still_runs(
    plugin: CommandPlugin, server: SshServer
) -> None:
    plugin.cancel()
    inputs = plugin.check_successfully(
        {"create": "echo ran", "connection": server.build_connection()}
    )
    assert plugin.create(inputs)["stdout"] == "ran"


def test_the_time_given_to_a_resource_does_not_end_a_command(
    plugin: CommandPlugin, server: SshServer, tmp_path: Path
) -> None:
    state = plugin.create(build_slow_command(plugin, server, tmp_path), resource_timeout_s=1)
    assert state["stdout"] == "done"


def test_a_call_that_the_engine_gives_up_runs_on(
    plugin: CommandPlugin, server: SshServer, tmp_path: Path
) -> None:
    call = plugin.create_call(build_slow_command(plugin, server, tmp_path))
    wait_until(tmp_path / "began")
    call.cancel()
    wait_until(tmp_path / "ended")


def test_a_killed_plugin_leaves_the_command_running_on_the_node(
    plugin: CommandPlugin, server: SshServer, tmp_path: Path
) -> None:
    call = plugin.create_call(build_slow_command(plugin, server, tmp_path))
    wait_until(tmp_path / "began")
    plugin.process.kill()
    with pytest.raises(grpc.RpcError):
        call.result(timeout=5)
    assert not (tmp_path / "ended").exists()
    wait_until(tmp_path / "ended")


def test_a_node_that_drops_the_connection_is_an_error(
    plugin: CommandPlugin, server: SshServer, tmp_path: Path
) -> None:
    command = f"touch {tmp_path}/began; kill -9 $(ps -o ppid= -p $$); sleep 1"
    inputs = plugin.check_successfully({"create": command, "connection": server.build_connection()})
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create(inputs, timeout_s=20)
    assert caught.value.code() == grpc.StatusCode.UNKNOWN
    assert "without exit status or exit signal" in caught.value.details()


def test_a_background_child_that_holds_the_output_keeps_the_command_open(
    plugin: CommandPlugin, server: SshServer
) -> None:
    """So a step must detach what it starts."""
    connection = server.build_connection()
    start_s = time.monotonic()
    plugin.create(
        plugin.check_successfully({"create": "(sleep 3) & echo x", "connection": connection})
    )
    assert time.monotonic() - start_s >= 3
    start_s = time.monotonic()
    detached = "(sleep 3) >/dev/null 2>&1 & echo x"
    plugin.create(plugin.check_successfully({"create": detached, "connection": connection}))
    assert time.monotonic() - start_s < 3
