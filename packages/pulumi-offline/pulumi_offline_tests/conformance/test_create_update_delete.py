"""What is run when, what is kept of it, and what a failure leaves."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance.engine import CommandPlugin
from pulumi_offline_tests.conformance.ssh_server import SshServer
from pulumi_offline_tests.conformance.values import is_secret, mark_secret, reveal


@pytest.fixture
def plugin(shared_plugin: CommandPlugin) -> CommandPlugin:
    """No test here looks at log lines, so one plugin serves them all."""
    return shared_plugin


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A file to which commands add a line each."""
    return tmp_path / "trace"


def add(trace: Path, text: str) -> str:
    return f"echo {text} >> {shlex.quote(str(trace))}"


def count_runs(trace: Path) -> list[str]:
    return trace.read_text().split() if trace.exists() else []


def build_inputs(plugin: CommandPlugin, server: SshServer, **inputs: Any) -> dict[str, Any]:
    return plugin.check_successfully({"connection": server.build_connection(), **inputs})


def fail_to_create(call: Any) -> str:
    """The text of the error with which a call ends."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert caught.value.code() == grpc.StatusCode.UNKNOWN
    return str(caught.value.details())


def test_create_runs_once_and_keeps_what_was_printed(
    plugin: CommandPlugin, server: SshServer, trace: Path
) -> None:
    inputs = build_inputs(plugin, server, create=f"{add(trace, 'ran')}; echo out; echo err >&2")
    state = plugin.create(inputs)
    assert count_runs(trace) == ["ran"]
    assert (state["stdout"], state["stderr"]) == ("out", "err")
    assert {key: item for key, item in state.items() if key not in ("stdout", "stderr")} == inputs


def test_the_id_is_made_of_the_name_and_differs_each_time(
    plugin: CommandPlugin, server: SshServer
) -> None:
    inputs = build_inputs(plugin, server, create="true")
    ids = [plugin.create_call(inputs).result().id for _ in range(2)]
    assert [name.startswith("step") for name in ids] == [True, True]
    assert [len(name) for name in ids] == [12, 12]
    assert ids[0] != ids[1]


def test_one_closing_newline_is_cut_off_and_no_more(
    plugin: CommandPlugin, server: SshServer
) -> None:
    state = plugin.create(build_inputs(plugin, server, create=r"printf 'a\n\n'; printf ' b ' >&2"))
    assert (state["stdout"], state["stderr"]) == ("a\n", " b ")


def test_without_create_nothing_is_run_and_nothing_is_dialled(plugin: CommandPlugin) -> None:
    inputs = plugin.check_successfully(
        {"connection": {"host": "127.0.0.1", "port": 1}, "delete": "true"}
    )
    state = plugin.create(inputs)
    assert (state["stdout"], state["stderr"]) == ("", "")


def test_output_is_not_secret_even_if_the_input_is(
    plugin: CommandPlugin, server: SshServer
) -> None:
    state = plugin.create(build_inputs(plugin, server, create="cat", stdin=mark_secret("word")))
    assert state["stdin"] == mark_secret("word")
    assert state["stdout"] == "word"
    assert is_secret(state["connection"])


def test_the_command_gets_its_stdin_and_then_the_end(
    plugin: CommandPlugin, server: SshServer
) -> None:
    state = plugin.create(build_inputs(plugin, server, create="cat; echo END", stdin="a\nü\n"))
    assert state["stdout"] == "a\nü\nEND"


def test_without_stdin_the_command_reads_an_end_at_once(
    plugin: CommandPlugin, server: SshServer
) -> None:
    state = plugin.create(build_inputs(plugin, server, create="cat; echo END"))
    assert state["stdout"] == "END"


@pytest.mark.parametrize("status", [1, 3, 255])
def test_a_failed_create_is_an_error_with_the_status_and_all_that_was_printed(
    plugin: CommandPlugin, server: SshServer, status: int
) -> None:
    inputs = build_inputs(
        plugin, server, create=f"echo out; echo err >&2; exit {status}", logging="none"
    )
    text = fail_to_create(lambda: plugin.create(inputs))
    assert text.startswith(f"Process exited with status {status}: running ")
    assert '"echo out; echo err >&2; exit' in text
    assert sorted(text.splitlines()[1:]) == ["err", "out"]


def test_a_failed_create_leaves_no_partial_state(plugin: CommandPlugin, server: SshServer) -> None:
    """The engine keeps a failed resource only if the error carries its properties."""
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create(build_inputs(plugin, server, create="exit 1"))
    names = {item.key for item in caught.value.trailing_metadata() or ()}
    assert "grpc-status-details-bin" not in names


def test_a_command_ended_by_a_signal_is_an_error_that_names_it(
    plugin: CommandPlugin, server: SshServer
) -> None:
    text = fail_to_create(lambda: plugin.create(build_inputs(plugin, server, create="kill -9 $$")))
    assert text.startswith("Process exited with status 137 from signal KILL: running")


def test_a_missing_program_is_an_error_with_the_shells_words(
    plugin: CommandPlugin, server: SshServer
) -> None:
    text = fail_to_create(
        lambda: plugin.create(build_inputs(plugin, server, create="no-such-program"))
    )
    assert "status 127" in text
    assert "no-such-program" in text.partition("\n")[2]


def test_the_error_of_a_failed_command_is_whole_even_if_it_is_long(
    plugin: CommandPlugin, server: SshServer
) -> None:
    command = "yes 0123456789 | head -n 20000; echo last; exit 1"
    text = fail_to_create(
        lambda: plugin.create(build_inputs(plugin, server, create=command, logging="none"))
    )
    assert text.rstrip().endswith("last")
    assert text.splitlines().count("0123456789") == 20000


def test_update_runs_update_if_there_is_one(
    plugin: CommandPlugin, server: SshServer, trace: Path
) -> None:
    old = build_inputs(plugin, server, create=add(trace, "create"))
    state = plugin.create(old)
    new = build_inputs(plugin, server, create=add(trace, "create"), update=add(trace, "update"))
    plugin.update(state, new)
    assert count_runs(trace) == ["create", "update"]


def test_update_runs_create_if_there_is_no_update(
    plugin: CommandPlugin, server: SshServer, trace: Path
) -> None:
    state = plugin.create(build_inputs(plugin, server, create=add(trace, "first")))
    plugin.update(state, build_inputs(plugin, server, create=add(trace, "second")))
    assert count_runs(trace) == ["first", "second"]


def test_update_gets_the_new_stdin_and_keeps_the_new_output(
    plugin: CommandPlugin, server: SshServer
) -> None:
    state = plugin.create(build_inputs(plugin, server, create="cat", stdin="old"))
    state = plugin.update(state, build_inputs(plugin, server, create="cat", stdin="new"))
    assert (state["stdin"], state["stdout"]) == ("new", "new")


def test_update_without_any_command_keeps_the_old_output(
    plugin: CommandPlugin, server: SshServer
) -> None:
    state = plugin.create(build_inputs(plugin, server, create="echo old"))
    state = plugin.update(state, build_inputs(plugin, server, delete="true"))
    assert state["stdout"] == "old"
    assert "create" not in state


def test_update_goes_to_the_new_connection(plugin: CommandPlugin, server: SshServer) -> None:
    state = plugin.create(build_inputs(plugin, server, create="echo one"))
    state["connection"] = mark_secret({**reveal(state["connection"]), "port": 1})
    assert plugin.update(state, build_inputs(plugin, server, create="echo two"))["stdout"] == "two"


def test_a_failed_update_is_an_error_without_partial_state(
    plugin: CommandPlugin, server: SshServer
) -> None:
    state = plugin.create(build_inputs(plugin, server, create="true"))
    with pytest.raises(grpc.RpcError) as caught:
        plugin.update(state, build_inputs(plugin, server, create="echo bad; exit 4"))
    assert caught.value.details().startswith("Process exited with status 4: running")
    assert caught.value.details().endswith("\nbad\n")
    names = {item.key for item in caught.value.trailing_metadata() or ()}
    assert "grpc-status-details-bin" not in names


def test_delete_runs_delete_with_the_kept_stdin(
    plugin: CommandPlugin, server: SshServer, trace: Path
) -> None:
    inputs = build_inputs(plugin, server, create="true", delete=f"cat >> {trace}", stdin="word")
    state = plugin.create(inputs)
    plugin.delete(state)
    assert count_runs(trace) == ["word"]


def test_delete_without_a_delete_command_dials_nobody(
    plugin: CommandPlugin, server: SshServer
) -> None:
    state = plugin.create(build_inputs(plugin, server, create="true"))
    state["connection"] = mark_secret({**reveal(state["connection"]), "port": 1})
    plugin.delete(state)


def test_a_failed_delete_is_an_error(plugin: CommandPlugin, server: SshServer) -> None:
    state = plugin.create(build_inputs(plugin, server, create="true", delete="echo no; exit 5"))
    text = fail_to_create(lambda: plugin.delete(state))
    assert text.startswith("Process exited with status 5: running")
    assert text.endswith("\nno\n")


def test_output_that_is_not_utf8_cannot_be_kept(
    plugin: CommandPlugin, server: SshServer, trace: Path
) -> None:
    inputs = build_inputs(
        plugin, server, create=rf"{add(trace, 'ran')}; printf '\377'", logging="none"
    )
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create(inputs)
    assert caught.value.code() == grpc.StatusCode.INTERNAL
    assert "UTF-8" in caught.value.details()
    assert count_runs(trace) == ["ran"]
