"""Check completes inputs: defaults, secret marks, unknowns left unknown."""

from __future__ import annotations

from pulumi_offline_tests.conformance.engine import CommandPlugin
from pulumi_offline_tests.conformance.values import (
    UNKNOWN,
    from_struct,
    is_secret,
    is_unknown,
    mark_secret,
    reveal,
)


def test_a_connection_gets_its_defaults(shared_plugin: CommandPlugin) -> None:
    checked = shared_plugin.check_successfully({"connection": {"host": "h"}})
    assert reveal(checked) == {
        "connection": {
            "host": "h",
            "port": 22.0,
            "user": "root",
            "dialErrorLimit": 10.0,
            "perDialTimeout": 15.0,
        }
    }


def test_a_value_that_was_given_is_kept_even_if_it_is_zero(shared_plugin: CommandPlugin) -> None:
    inputs = {
        "host": "h",
        "port": 1.0,
        "user": "u",
        "dialErrorLimit": 0.0,
        "perDialTimeout": 0.0,
    }
    assert reveal(shared_plugin.check_successfully({"connection": inputs})) == {
        "connection": inputs
    }


def test_a_proxy_gets_the_same_defaults(shared_plugin: CommandPlugin) -> None:
    checked = shared_plugin.check_successfully(
        {"connection": {"host": "h", "proxy": {"host": "p"}}}
    )
    proxy = reveal(checked)["connection"]["proxy"]
    assert proxy == {
        "host": "p",
        "port": 22.0,
        "user": "root",
        "dialErrorLimit": 10.0,
        "perDialTimeout": 15.0,
    }


def test_no_proxy_is_made_up(shared_plugin: CommandPlugin) -> None:
    assert (
        "proxy"
        not in reveal(shared_plugin.check_successfully({"connection": {"host": "h"}}))["connection"]
    )


def test_the_connection_is_secret_as_a_whole_and_its_keys_once_more(
    shared_plugin: CommandPlugin,
) -> None:
    login = {"host": "h", "privateKey": "k", "privateKeyPassword": "w", "password": "p"}
    checked = shared_plugin.check_successfully(
        {"connection": {**login, "proxy": login}, "create": "true"}
    )
    assert is_secret(checked["connection"])
    inside = checked["connection"]["value"]
    for endpoint in (inside, inside["proxy"]):
        marked = {key for key, item in endpoint.items() if is_secret(item)}
        assert marked == {"privateKey", "privateKeyPassword", "password"}
    assert not is_secret(checked["create"])


def test_secrets_stay_secret(shared_plugin: CommandPlugin) -> None:
    inputs = {
        "connection": mark_secret({"host": "h"}),
        "stdin": mark_secret("s"),
        "environment": {"A": mark_secret("a"), "B": "b"},
        "triggers": [mark_secret("t"), "u"],
    }
    checked = shared_plugin.check_successfully(inputs)
    assert is_secret(checked["connection"])
    assert checked["stdin"] == mark_secret("s")
    assert checked["environment"] == {"A": mark_secret("a"), "B": "b"}
    assert checked["triggers"] == [mark_secret("t"), "u"]


def test_refused_inputs_are_marked_secret_too(shared_plugin: CommandPlugin) -> None:
    """The engine may show refused inputs."""
    response = shared_plugin.check({"connection": {"host": "h", "password": "p"}, "create": 1})
    assert response.failures
    assert is_secret(from_struct(response.inputs)["connection"])


def test_unknown_inputs_stay_unknown(shared_plugin: CommandPlugin) -> None:
    inputs = {
        "create": UNKNOWN,
        "triggers": [UNKNOWN, "t"],
        "environment": {"A": UNKNOWN},
        "connection": {"host": UNKNOWN, "port": UNKNOWN, "privateKey": UNKNOWN},
    }
    checked = shared_plugin.check_successfully(inputs)
    connection = checked["connection"]["value"]
    places = [
        checked["create"],
        checked["triggers"][0],
        checked["environment"]["A"],
        connection["host"],
        connection["port"],
        connection["privateKey"],
    ]
    assert [is_unknown(place) for place in places] == [True] * len(places)
    assert is_secret(connection["privateKey"])
    assert connection["user"] == "root"


def test_an_unknown_connection_stays_unknown_and_is_secret(shared_plugin: CommandPlugin) -> None:
    connection = shared_plugin.check_successfully({"connection": UNKNOWN})["connection"]
    assert is_unknown(connection)
    assert is_secret(connection)


def test_an_unknown_secret_becomes_an_empty_secret(shared_plugin: CommandPlugin) -> None:
    """A fault of the official plugin: at preview an unknown secret counts as empty text."""
    checked = shared_plugin.check_successfully(
        {"connection": {"host": "h"}, "stdin": mark_secret(UNKNOWN)}
    )
    assert checked["stdin"] == mark_secret("")
    assert not is_unknown(
        shared_plugin.check_successfully({"connection": mark_secret(UNKNOWN)})["connection"]
    )


def test_a_whole_number_is_cut_where_only_whole_numbers_count(shared_plugin: CommandPlugin) -> None:
    checked = shared_plugin.check_successfully({"connection": {"host": "h", "dialErrorLimit": 1.7}})
    assert reveal(checked)["connection"]["dialErrorLimit"] == 1.0


def test_null_counts_as_absent(shared_plugin: CommandPlugin) -> None:
    checked = shared_plugin.check_successfully(
        {"connection": {"host": "h", "hostKey": None}, "stdin": None}
    )
    assert "stdin" not in checked
    assert "hostKey" not in reveal(checked)["connection"]


def test_checked_inputs_are_left_alone_by_a_second_check(shared_plugin: CommandPlugin) -> None:
    once = shared_plugin.check_successfully(
        {"connection": {"host": "h", "password": "p"}, "create": "true"}
    )
    assert shared_plugin.check_successfully(once) == once
