"""At preview nothing is run, and what a run would show is unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pulumi_offline_tests.conformance.engine import CommandPlugin
from pulumi_offline_tests.conformance.ssh_server import SshServer
from pulumi_offline_tests.conformance.values import UNKNOWN, is_secret, is_unknown


@pytest.fixture
def plugin(shared_plugin: CommandPlugin) -> CommandPlugin:
    """No test here looks at log lines, so one plugin serves them all."""
    return shared_plugin


def list_unknown_keys(state: dict[str, Any]) -> set[str]:
    return {key for key, item in state.items() if is_unknown(item)}


def test_a_previewed_create_runs_nothing_and_knows_its_inputs(
    plugin: CommandPlugin, server: SshServer, tmp_path: Path
) -> None:
    inputs = plugin.check_successfully(
        {"create": f"touch {tmp_path}/ran", "connection": server.build_connection(), "stdin": "s"}
    )
    state = plugin.create(inputs, preview=True)
    assert not (tmp_path / "ran").exists()
    assert list_unknown_keys(state) == {"stdout", "stderr"}
    assert {key: state[key] for key in inputs} == inputs
    plugin.create(inputs)
    assert (tmp_path / "ran").exists(), "the control: without preview it runs"


def test_a_previewed_create_keeps_unknown_inputs_unknown(shared_plugin: CommandPlugin) -> None:
    inputs = shared_plugin.check_successfully({"create": UNKNOWN, "connection": {"host": UNKNOWN}})
    state = shared_plugin.create(inputs, preview=True)
    assert list_unknown_keys(state) == {"create", "stdout", "stderr"}
    assert is_unknown(state["connection"]["value"]["host"])
    assert is_secret(state["connection"])


@pytest.mark.parametrize(
    ("change", "unknown"),
    [
        ({}, set()),
        ({"create": "echo two"}, {"stdout", "stderr"}),
        ({"environment": {"A": "b"}}, {"stdout", "stderr"}),
        ({"stdin": UNKNOWN}, {"stdin", "stdout", "stderr"}),
        # An input that the state does not hold yet counts as no change: so it is.
        ({"update": "echo two"}, set()),
        ({"triggers": ["a"]}, set()),
    ],
)
def test_a_previewed_update_knows_its_output_only_if_nothing_that_was_there_changed(
    shared_plugin: CommandPlugin, change: dict[str, Any], unknown: set[str]
) -> None:
    old = shared_plugin.check_successfully(
        {"create": "echo", "environment": {"A": "a"}, "stdin": "s", "connection": {"host": "h"}}
    )
    state = {**old, "stdout": "out", "stderr": "err"}
    previewed = shared_plugin.update(state, {**old, **change}, preview=True)
    assert list_unknown_keys(previewed) == unknown
    assert previewed["create"] == {**old, **change}["create"]


def test_a_removed_input_makes_the_output_unknown(shared_plugin: CommandPlugin) -> None:
    old = shared_plugin.check_successfully(
        {"create": "echo", "stdin": "s", "connection": {"host": "h"}}
    )
    new = {key: item for key, item in old.items() if key != "stdin"}
    previewed = shared_plugin.update({**old, "stdout": "", "stderr": ""}, new, preview=True)
    assert list_unknown_keys(previewed) == {"stdout", "stderr"}


def test_reading_gives_the_state_back_and_dials_nobody(shared_plugin: CommandPlugin) -> None:
    inputs = shared_plugin.check_successfully(
        {"create": "echo", "connection": {"host": "h", "port": 1}}
    )
    state = {**inputs, "stdout": "out", "stderr": ""}
    assert shared_plugin.read(state, inputs) == ("step1", state, inputs)
