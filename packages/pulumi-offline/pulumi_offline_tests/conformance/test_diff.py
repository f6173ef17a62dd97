"""Diff says which inputs changed, where, and what replaces."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from pulumi_offline_tests.conformance.engine import CommandPlugin
from pulumi_offline_tests.conformance.values import UNKNOWN, mark_secret, to_struct

BASE = {"create": "true", "connection": mark_secret({"host": "h", "port": 22})}
SOME = provider_pb2.DiffResponse.DIFF_SOME
NONE = provider_pb2.DiffResponse.DIFF_NONE


def list_places(response: provider_pb2.DiffResponse) -> dict[str, str]:
    names = provider_pb2.PropertyDiff.Kind.Name
    return {path: names(item.kind) for path, item in response.detailedDiff.items()}


def test_the_same_inputs_are_no_difference(shared_plugin: CommandPlugin) -> None:
    response = shared_plugin.diff(BASE, BASE)
    assert (response.changes, list_places(response)) == (NONE, {})
    assert response.hasDetailedDiff


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"stdin": "a"}, {"stdin": "b"}, {"stdin": "UPDATE"}),
        ({}, {"stdin": "b"}, {"stdin": "ADD"}),
        ({"stdin": "a"}, {}, {"stdin": "DELETE"}),
        ({}, {"create": "false"}, {"create": "UPDATE"}),
        ({}, {"update": "true"}, {"update": "ADD"}),
        ({"delete": "true"}, {"delete": "false"}, {"delete": "UPDATE"}),
        ({}, {"logging": "none"}, {"logging": "ADD"}),
        ({"stdin": "a"}, {"stdin": mark_secret("a")}, {"stdin": "UPDATE"}),
        ({"stdin": mark_secret("a")}, {"stdin": mark_secret("b")}, {"stdin": "UPDATE"}),
        ({"stdin": "a"}, {"stdin": UNKNOWN}, {"stdin": "UPDATE"}),
        ({}, {"connection": mark_secret({"host": "h", "port": 23})}, {"connection": "UPDATE"}),
        ({}, {"connection": {"host": "h", "port": 22}}, {"connection": "UPDATE"}),
        (
            {"environment": {"A.b": "1", "C": "2", "D": "3"}},
            {"environment": {"A.b": "2", "D": "3", "E": "4"}},
            {'environment["A.b"]': "UPDATE", "environment.C": "DELETE", "environment.E": "ADD"},
        ),
        (
            {"addPreviousOutputInEnv": True},
            {"addPreviousOutputInEnv": False},
            {"addPreviousOutputInEnv": "UPDATE"},
        ),
    ],
)
def test_a_changed_input_is_an_update_at_its_place(
    shared_plugin: CommandPlugin, old: dict[str, Any], new: dict[str, Any], expected: dict[str, str]
) -> None:
    response = shared_plugin.diff({**BASE, **old}, {**BASE, **new})
    assert (response.changes, list_places(response)) == (SOME, expected)
    assert list(response.replaces) == []
    assert list(response.diffs) == [next(iter({*old, *new}))]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (["a"], ["b"], {"triggers[0]": "UPDATE"}),
        (["a"], ["a", "b"], {"triggers[1]": "ADD"}),
        (["a", "b"], ["a"], {"triggers[1]": "DELETE"}),
        (["a"], [UNKNOWN], {"triggers[0]": "UPDATE"}),
        (
            [{"a": 1, "b": [1, 2]}],
            [{"a": 2, "b": [1]}],
            {"triggers[0].a": "UPDATE", "triggers[0].b[1]": "DELETE"},
        ),
    ],
)
def test_a_change_inside_triggers_is_an_update_for_the_plugin(
    shared_plugin: CommandPlugin, old: list[Any], new: list[Any], expected: dict[str, str]
) -> None:
    """It replaces all the same: the SDK registers the resource with replace_on_changes."""
    response = shared_plugin.diff({**BASE, "triggers": old}, {**BASE, "triggers": new})
    assert list_places(response) == expected
    assert (list(response.diffs), list(response.replaces)) == (["triggers"], [])


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {"triggers": ["a"]}, "ADD_REPLACE"),
        ({"triggers": ["a"]}, {}, "DELETE_REPLACE"),
        ({"triggers": ["a"]}, {"triggers": UNKNOWN}, "UPDATE_REPLACE"),
    ],
)
def test_triggers_that_come_or_go_as_a_whole_replace(
    shared_plugin: CommandPlugin, old: dict[str, Any], new: dict[str, Any], expected: str
) -> None:
    response = shared_plugin.diff({**BASE, **old}, {**BASE, **new})
    assert list_places(response) == {"triggers": expected}
    assert list(response.replaces) == ["triggers"]
    assert not response.deleteBeforeReplace


def test_an_ignored_input_does_not_differ(shared_plugin: CommandPlugin) -> None:
    response = shared_plugin.diff({**BASE, "stdin": "a"}, {**BASE, "stdin": "b"}, ("stdin",))
    assert response.changes == NONE


def test_true_and_one_differ(shared_plugin: CommandPlugin) -> None:
    response = shared_plugin.diff({**BASE, "triggers": [True]}, {**BASE, "triggers": [1]})
    assert response.changes == SOME


def test_what_a_command_printed_is_no_input(shared_plugin: CommandPlugin) -> None:
    request = provider_pb2.DiffRequest(
        id="step1",
        urn="urn:pulumi:dev::conformance::command:remote:Command::step",
        olds=to_struct({**BASE, "stdout": "new", "stderr": "new"}),
        news=to_struct(BASE),
        old_inputs=to_struct(BASE),
    )
    assert shared_plugin.stub.Diff(request).changes == NONE
