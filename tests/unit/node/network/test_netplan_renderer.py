"""A renderer that starts while netplan writes its files anew is told to read them."""

from __future__ import annotations

import pytest

from node.errors import StepError
from node.host import daemons, netplan_renderer
from node.host.system import CommandResult
from tests.support.fake_system import SUCCESS


def list_calls(spark) -> list[list[str]]:
    return [argv for argv in spark.system.script.calls if argv[0] in ("systemctl", "nmcli")]


def test_network_manager_that_read_nothing_is_told_to_read(spark, patience) -> None:
    spark.network.is_blind = True
    assert daemons.apply_netplan(spark.system) == "netplan applied"
    assert not spark.network.is_blind


def test_systemd_reads_its_units_only_once_the_renderer_has_read_its_files(spark, patience) -> None:
    spark.network.is_blind = True
    daemons.reload_systemd(spark.system)
    calls = list_calls(spark)
    assert calls[0] == ["systemctl", "start", "NetworkManager.service"]
    assert calls[-1] == ["systemctl", "daemon-reload"]
    assert not spark.network.is_blind


def test_network_manager_that_has_read_all_is_asked_and_left_alone(spark) -> None:
    daemons.apply_netplan(spark.system)
    assert ["nmcli", "connection", "reload"] not in list_calls(spark)


def test_network_manager_that_never_reads_is_named(spark, patience) -> None:
    spark.network.is_blind = True
    spark.system.script.commands[("nmcli", "connection", "reload")] = lambda argv, stdin: SUCCESS
    with pytest.raises(StepError, match=r"does not load netplan's netplan-enP7s7\.nmconnection"):
        daemons.apply_netplan(spark.system)
    assert sum(patience) >= netplan_renderer.SETTLE_S


@pytest.mark.parametrize(
    ("name", "units"),
    [("10-netplan-enP7s7.network", ["systemd-networkd.service"]), ("10-netplan-enP7s7.link", [])],
)
def test_networkd_is_waited_for_where_it_has_files(spark, name, units) -> None:
    for profile in spark.system.list_names(netplan_renderer.MANAGER_FILES):
        spark.system.path(f"{netplan_renderer.MANAGER_FILES}/{profile}").unlink()
    spark.system.put(f"{netplan_renderer.NETWORKD_FILES}/{name}", "")
    spark.system.script.commands[("nmcli",)] = lambda argv, stdin: CommandResult(
        127, "", "nmcli: not found"
    )
    netplan_renderer.wait_for_renderers(spark.system)
    assert list_calls(spark) == [["systemctl", "start", unit] for unit in units]
