"""The nodes beside each other: keys, versions, users, clocks."""

from __future__ import annotations

import pytest

from sparkform.doctor import Check
from sparkform.report.rack_report import Observation
from tests.support.recorded import UP, Key, change_report, load_recording
from tests.unit.doctor.support import diagnose_recording, get_row

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFRqga9NJX5YJaz2i22pDBcROTqDkpoMuPwAr3Dq4j6U"
NAMES = {
    "host keys",
    "driver",
    "kernel",
    "dgx os",
    "docker",
    "os",
    "memory",
    "machine-ids",
    "management",
    "container toolkit",
    "users",
    "clocks",
}


def list_rack_rows(observation: Observation) -> list[Check]:
    rows = diagnose_recording(observation)
    return [row for row in rows if row.node is None and row.name in NAMES]


def change_query(observation: Observation, node: str, **values: object) -> Observation:
    result = observation.nodes[node].model_copy(update=values)
    return observation.model_copy(update={"nodes": {**observation.nodes, node: result}})


def test_nodes_that_are_alike_have_no_row() -> None:
    assert list_rack_rows(load_recording(UP)) == []


@pytest.mark.parametrize(
    ("keys", "value", "name"),
    [
        (["facts", "gpu", "driver"], "580.95.05", "driver"),
        (["facts", "host", "kernel"], "6.14.0-1015-nvidia", "kernel"),
        (["facts", "docker", "version"], "28.3.3", "docker"),
        (["facts", "login", "uid"], 4711, "users"),
        (["facts", "host", "os_version"], "26.04", "os"),
    ],
)
def test_what_differs_is_a_row_that_names_both(keys: list[Key], value: object, name: str) -> None:
    (row,) = list_rack_rows(change_report(load_recording(UP), "spark-2", keys, value))
    assert (row.name, row.status) == (name, "warn")
    assert f"spark-2 {value}" in row.message
    assert "spark-1 " in row.message


def test_what_is_unknown_differs_from_nothing() -> None:
    changed = change_report(load_recording(UP), "spark-2", ["facts", "docker"], None)
    assert [row for row in list_rack_rows(changed) if row.name == "docker"] == []


def test_memory_that_differs_by_more_than_a_reserve_is_named() -> None:
    keys: list[Key] = ["facts", "memory", "total_kib"]
    half = change_report(load_recording(UP), "spark-2", keys, 60 * 2**20)
    whole = change_report(half, "spark-1", keys, 119 * 2**20)
    assert get_row(diagnose_recording(whole), None, "memory").message.startswith(
        "differs between the nodes: spark-1 119 GiB, spark-2 60 GiB"
    )
    alike = change_report(whole, "spark-2", keys, 118 * 2**20)
    assert [row for row in list_rack_rows(alike) if row.name == "memory"] == []


def test_management_in_two_networks_is_named() -> None:
    observation = load_recording(UP)
    assert [row for row in list_rack_rows(observation) if row.name == "management"] == []
    moved = change_interface(observation, "spark-2", "enP7s7", addresses=["10.99.0.12/24"])
    row = get_row(diagnose_recording(moved), None, "management")
    assert row.message == (
        "the nodes are in different networks: spark-1 10.87.153.0/24, spark-2 10.99.0.0/24"
    )


def test_a_management_network_of_two_mtus_is_named() -> None:
    moved = change_interface(load_recording(UP), "spark-2", "enP7s7", mtu=9000)
    row = get_row(diagnose_recording(moved), None, "management")
    assert row.message.startswith("MTU of the management network differs between the nodes: ")
    assert "spark-2 enP7s7 9000" in row.message


def change_interface(
    observation: Observation, node: str, name: str, **values: object
) -> Observation:
    report = observation.reports[node]
    interfaces = [
        {**interface.model_dump(mode="json"), **(values if interface.name == name else {})}
        for interface in report.facts.interfaces or ()
    ]
    return change_report(observation, node, ["facts", "interfaces"], interfaces)


def test_one_machine_id_on_two_machines_is_named() -> None:
    observation = load_recording(UP)
    for node in ("spark-1", "spark-2"):
        observation = change_report(observation, node, ["facts", "host", "machine"], "0f0f")
    row = get_row(diagnose_recording(observation), None, "machine-ids")
    assert (row.status, "spark-1, spark-2" in row.message) == ("warn", True)


def test_a_gid_of_its_own_is_a_difference() -> None:
    observation = load_recording(UP)
    for node, gid in (("spark-1", 1000), ("spark-2", 1001)):
        observation = change_report(observation, node, ["facts", "login", "gid"], gid)
    row = get_row(diagnose_recording(observation), None, "users")
    assert row.message.endswith("spark-1 1000:1000, spark-2 1000:1001")


def test_one_host_key_on_two_machines_fails() -> None:
    observation = change_query(load_recording(UP), "spark-1", host_key=KEY)
    assert list_rack_rows(observation) == []
    row = get_row(
        diagnose_recording(change_query(observation, "spark-2", host_key=KEY)), None, "host keys"
    )
    assert row.status == "fail"
    assert row.message == "spark-1, spark-2 have the same host key"


def test_clocks_that_are_apart_are_named_though_each_is_near_enough_to_this_machine() -> None:
    observation = change_query(load_recording(UP), "spark-1", clock_skew_s=4.0)
    observation = change_query(observation, "spark-2", clock_skew_s=-4.0)
    row = get_row(diagnose_recording(observation), None, "clocks")
    assert row.message == "spark-1 is 8.0 s ahead of spark-2"
