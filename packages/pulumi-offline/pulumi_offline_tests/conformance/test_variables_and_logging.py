"""Environment variables over SSH, and what of a command's output reaches the display."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance.engine import URN, CommandPlugin
from pulumi_offline_tests.conformance.ssh_server import Keys, SshServer, run_ssh_server

SHOW = 'echo "[$NAME]"'
SHOW_PREVIOUS = 'echo "[$PULUMI_COMMAND_STDOUT][$PULUMI_COMMAND_STDERR]"'


@pytest.fixture(scope="module")
def accepting(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[SshServer]:
    """A server that takes some variables from clients."""
    options = "AcceptEnv NAME PULUMI_COMMAND_*"
    with run_ssh_server(tmp_path_factory.mktemp("accepting"), keys, options) as running:
        yield running


def list_messages(plugin: CommandPlugin, severity: str) -> list[str]:
    return [line.message for line in plugin.log.list_about(URN) if line.severity == severity]


def list_shown(plugin: CommandPlugin) -> list[str]:
    return list_messages(plugin, "INFO")


def test_a_variable_that_the_server_takes_reaches_the_command(
    plugin: CommandPlugin, accepting: SshServer
) -> None:
    connection = accepting.build_connection()
    inputs = {"create": SHOW, "environment": {"NAME": "a b"}, "connection": connection}
    assert plugin.create(plugin.check_successfully(inputs))["stdout"] == "[a b]"


def test_a_variable_that_the_server_refuses_is_an_error_before_anything_is_run(
    plugin: CommandPlugin, accepting: SshServer, tmp_path: Path
) -> None:
    inputs = {
        "create": f"touch {tmp_path}/ran",
        "environment": {"OTHER": "x"},
        "connection": accepting.build_connection(),
    }
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create(plugin.check_successfully(inputs))
    assert 'could not set environment variable "OTHER"' in caught.value.details()
    assert not (tmp_path / "ran").exists()
    (line,) = list_messages(plugin, "ERROR")
    assert line.startswith("Unable to set 'OTHER'. This only works if your SSH server")


def test_update_and_delete_see_what_was_printed_before(
    plugin: CommandPlugin, accepting: SshServer, tmp_path: Path
) -> None:
    connection = accepting.build_connection()
    inputs = plugin.check_successfully(
        {
            "create": "echo out; echo err >&2",
            "update": SHOW_PREVIOUS,
            "delete": f"{SHOW_PREVIOUS} > {tmp_path}/deleted",
            "connection": connection,
        }
    )
    state = plugin.update(plugin.create(inputs), inputs)
    assert state["stdout"] == "[out][err]"
    plugin.delete(state)
    assert (tmp_path / "deleted").read_text() == "[[out][err]][]\n"
    assert list_messages(plugin, "WARNING") == []


def test_a_server_that_refuses_the_earlier_output_is_warned_about_and_the_command_runs(
    plugin: CommandPlugin, server: SshServer
) -> None:
    inputs = plugin.check_successfully(
        {
            "create": "echo out; echo err >&2",
            "update": SHOW_PREVIOUS,
            "connection": server.build_connection(),
        }
    )
    state = plugin.update(plugin.create(inputs), inputs)
    assert state["stdout"] == "[][]"
    warnings = list_messages(plugin, "WARNING")
    assert [line.partition(".")[0] for line in warnings] == [
        "Unable to set 'PULUMI_COMMAND_STDOUT'",
        "Unable to set 'PULUMI_COMMAND_STDERR'",
    ]


def test_without_earlier_output_there_is_no_warning(
    plugin: CommandPlugin, server: SshServer
) -> None:
    inputs = plugin.check_successfully({"create": "true", "connection": server.build_connection()})
    plugin.update(plugin.create(inputs), inputs)
    assert list_messages(plugin, "WARNING") == []


def test_the_earlier_output_is_kept_back_on_request(
    plugin: CommandPlugin, accepting: SshServer
) -> None:
    inputs = plugin.check_successfully(
        {
            "create": "echo out",
            "update": SHOW_PREVIOUS,
            "addPreviousOutputInEnv": False,
            "connection": accepting.build_connection(),
        }
    )
    assert plugin.update(plugin.create(inputs), inputs)["stdout"] == "[][]"


def test_keeping_it_back_silences_the_warning(plugin: CommandPlugin, server: SshServer) -> None:
    inputs = plugin.check_successfully(
        {
            "create": "echo out",
            "addPreviousOutputInEnv": False,
            "connection": server.build_connection(),
        }
    )
    plugin.update(plugin.create(inputs), inputs)
    assert list_messages(plugin, "WARNING") == []


@pytest.mark.parametrize(
    ("logging", "expected"),
    [
        (None, ["err", "out"]),
        ("stdoutAndStderr", ["err", "out"]),
        ("stdout", ["out"]),
        ("stderr", ["err"]),
        ("none", []),
    ],
)
def test_logging_chooses_what_is_shown_and_never_what_is_kept(
    plugin: CommandPlugin, server: SshServer, logging: str | None, expected: list[str]
) -> None:
    inputs = plugin.check_successfully(
        {
            "create": "echo out; echo err >&2",
            "logging": logging,
            "connection": server.build_connection(),
        }
    )
    state = plugin.create(inputs)
    assert (state["stdout"], state["stderr"]) == ("out", "err")
    assert sorted(list_shown(plugin)) == expected
    assert all(line.ephemeral for line in plugin.log.list_about(URN))


def test_lines_are_shown_while_the_command_runs_in_their_order(
    plugin: CommandPlugin, server: SshServer
) -> None:
    command = "echo one; echo two; sleep 2; printf 'three'; printf '\\r\\n\\nfour'"
    call = plugin.create_call(
        plugin.check_successfully({"create": command, "connection": server.build_connection()})
    )
    plugin.log.wait_for("two", timeout_s=5)
    assert not call.done(), "the lines came only after the command's end"
    call.result()
    assert list_shown(plugin) == ["one", "two", "three", "", "four"]


def test_lines_of_a_failed_command_are_shown_too(plugin: CommandPlugin, server: SshServer) -> None:
    inputs = plugin.check_successfully(
        {"create": "echo why; exit 1", "connection": server.build_connection()}
    )
    with pytest.raises(grpc.RpcError):
        plugin.create(inputs)
    assert list_shown(plugin) == ["why"]


def test_a_logged_line_of_64_kib_is_never_a_success(
    plugin: CommandPlugin, server: SshServer
) -> None:
    """The official plugin hangs there for good. The stand-in must not hide that, and says why."""
    command = "head -c 70000 /dev/zero | tr '\\0' a"
    inputs = plugin.check_successfully({"create": command, "connection": server.build_connection()})
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create(inputs, timeout_s=3)
    message = "65536 bytes" in caught.value.details()
    assert message or caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize(
    ("length", "logging"), [(65000, "stdout"), (70000, "none"), (3_000_000, "none")]
)
def test_a_shorter_line_or_one_that_is_not_logged_is_no_trouble(
    plugin: CommandPlugin, server: SshServer, length: int, logging: str
) -> None:
    command = f"head -c {length} /dev/zero | tr '\\0' a"
    inputs = {"create": command, "logging": logging, "connection": server.build_connection()}
    assert len(plugin.create(plugin.check_successfully(inputs))["stdout"]) == length
