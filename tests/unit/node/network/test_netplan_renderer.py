"""A renderer that starts while netplan writes its files anew is told to read them."""

from __future__ import annotations

import pytest

from node.errors import Refusal
from node.host import daemons, netplan_renderer
from node.host.system import Result
from tests.support.fake_system import FINE


def asked(one) -> list[list[str]]:
    return [argv for argv in one.system.script.calls if argv[0] in ("systemctl", "nmcli")]


def test_network_manager_that_read_nothing_is_told_to_read(one, patience) -> None:
    one.network.is_blind = True
    assert daemons.apply_netplan(one.system) == "netplan applied"
    assert not one.network.is_blind


def test_systemd_reads_its_units_only_once_the_renderer_has_read_its_files(one, patience) -> None:
    one.network.is_blind = True
    daemons.reload_systemd(one.system)
    calls = asked(one)
    assert calls[0] == ["systemctl", "start", "NetworkManager.service"]
    assert calls[-1] == ["systemctl", "daemon-reload"]
    assert not one.network.is_blind


def test_network_manager_that_has_read_all_is_asked_and_left_alone(one) -> None:
    daemons.apply_netplan(one.system)
    assert ["nmcli", "connection", "reload"] not in asked(one)


def test_network_manager_that_never_reads_is_named(one, patience) -> None:
    one.network.is_blind = True
    one.system.script.commands[("nmcli", "connection", "reload")] = lambda argv, stdin: FINE
    with pytest.raises(Refusal, match=r"has not read netplan-enP7s7\.nmconnection"):
        daemons.apply_netplan(one.system)
    assert sum(patience) >= netplan_renderer.SETTLE_S


@pytest.mark.parametrize(
    ("name", "units"),
    [("10-netplan-enP7s7.network", ["systemd-networkd.service"]), ("10-netplan-enP7s7.link", [])],
)
def test_networkd_is_waited_for_where_it_has_files(one, name, units) -> None:
    for profile in one.system.names(netplan_renderer.MANAGER_FILES):
        one.system.path(f"{netplan_renderer.MANAGER_FILES}/{profile}").unlink()
    one.system.put(f"{netplan_renderer.NETWORKD_FILES}/{name}", "")
    one.system.script.commands[("nmcli",)] = lambda argv, stdin: Result(127, "", "nmcli: not found")
    netplan_renderer.settle(one.system)
    assert asked(one) == [["systemctl", "start", unit] for unit in units]
