"""Each check on the sound rack with one value changed: the row that it then is."""

from __future__ import annotations

import re

import pytest

from sparkform.report.facts import UnreadableItem
from sparkform.report.rack_report import Observation
from tests.support.recorded import (
    SWARM,
    UP,
    Key,
    build_rack_declaration,
    change_report,
    load_recording,
)
from tests.unit.doctor.support import (
    diagnose_change,
    diagnose_recording,
    get_row,
    list_problem_rows,
    list_rows,
)

SOUND_PROBLEMS = list_problem_rows(diagnose_recording(load_recording(UP)))
GIB = 1024**3
FACTS: list[Key] = ["facts"]

CASES: list[tuple[str, list[Key], object, str, str, str]] = [
    ("claimed by others", ["claim"], "spark/lab", "claim", "fail", "belongs to stack spark/lab"),
    ("no DGX OS", ["host", "dgx_os"], None, "dgx os", "warn", "names no version"),
    (
        "swap on",
        ["memory", "swaps"],
        [{"path": "/swap.img", "size_kib": 1}],
        "swap",
        "warn",
        "on (/swap.img); a Spark that swaps",
    ),
    (
        "disk full",
        ["disk", "docker_directory", "free_bytes"],
        19 * GIB,
        "disk",
        "fail",
        "19 GiB of 252 free at /var/lib/docker",
    ),
    ("clock kept", ["clock", "synchronized"], True, "clock", "ok", "synchronized by a time daemon"),
    ("no linger", ["login", "linger"], False, "logout", "fail", "removes the shared memory"),
    (
        "another GPU",
        ["gpu", "gpus", 0, "compute_capability"],
        "12.0",
        "gpu",
        "warn",
        "compute capability 12.0: a DGX Spark has 12.1",
    ),
    ("no GPU", ["gpu", "gpus"], [], "gpu", "fail", "nvidia-smi lists no GPU"),
    (
        "no runtime",
        ["docker", "runtimes"],
        ["runc"],
        "docker",
        "fail",
        "without the runtime nvidia",
    ),
    ("live-restore", ["docker", "live_restore"], True, "docker", "fail", "live-restore is on"),
    (
        "old toolkit",
        ["container_toolkit", "version"],
        "1.18.2",
        "container toolkit",
        "fail",
        "1.18.2 ignores swarm-resource",
    ),
    (
        "firewall",
        ["firewall"],
        {"active": True, "because": ["ip filter INPUT: policy drop"]},
        "firewall",
        "warn",
        "7946/udp from 10.87.153.11 (Swarm membership)",
    ),
    (
        "rootless dockerd",
        ["docker", "security_options"],
        ["name=rootless", "name=seccomp,profile=builtin"],
        "docker",
        "fail",
        "is rootless",
    ),
    (
        "dockerd that remaps users",
        ["docker", "security_options"],
        ["name=userns"],
        "docker",
        "fail",
        "remaps users",
    ),
    (
        "dockerd of the snap",
        ["docker", "root_directory"],
        "/var/snap/docker/common/var-lib-docker",
        "docker",
        "fail",
        "is the snap's",
    ),
    ("locked Swarm", ["swarm", "state"], "locked", "swarm", "fail", "it waits for its key"),
    ("pending Swarm", ["swarm", "state"], "pending", "swarm", "fail", "has not reached its man"),
    (
        "expired Swarm",
        ["swarm", "error"],
        "x509: certificate has expired or is not yet valid",
        "swarm",
        "fail",
        "its certificate has expired",
    ),
    (
        "Swarm without a leader",
        ["swarm", "error"],
        "rpc error: The swarm does not have a leader.",
        "swarm",
        "fail",
        "has no leader",
    ),
    (
        "read-only disk",
        ["disk", "docker_directory", "read_only"],
        True,
        "disk",
        "fail",
        "which is read-only",
    ),
    (
        "Docker on a share",
        ["disk", "docker_directory", "file_system"],
        "nfs4",
        "disk",
        "fail",
        "is on nfs4, a network share",
    ),
    (
        "models in memory",
        ["disk", "model_directory", "file_system"],
        "tmpfs",
        "disk",
        "fail",
        "is on tmpfs",
    ),
    (
        "huge pages",
        ["memory", "huge_pages_kib"],
        64 * 1024**2,
        "memory",
        "warn",
        "64.0 GiB are reserved as huge pages",
    ),
    (
        "compressed swap",
        ["memory", "swaps"],
        [{"path": "/dev/zram0", "size_kib": 1}],
        "swap",
        "warn",
        "on (/dev/zram0): compressed memory",
    ),
    ("reboot due", ["host", "reboot_required"], True, "reboot", "warn", "at the next boot"),
]


@pytest.mark.parametrize(
    ("key_path", "value", "name", "status", "expected"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_a_fact_that_is_not_as_it_should_be_is_its_row(
    key_path: list[Key], value: object, name: str, status: str, expected: str
) -> None:
    name_rows = list_rows(diagnose_change([*FACTS, *key_path], value), "spark-2", name)
    matching = [check for check in name_rows if expected in check.message]
    assert [check.status for check in matching] == [status], name_rows


def test_the_sound_rack_has_none_of_those_rows() -> None:
    checks = diagnose_recording(load_recording(UP))
    messages = "\n".join(check.message for check in checks if check.status != "ok")
    assert not [case for case in CASES if case[4] != "ok" and case[5] in messages]


@pytest.mark.parametrize(
    ("key", "floor", "name"),
    [("driver", "580.95", "driver"), ("cuda", "13.0", "cuda"), ("dgxOs", "7.2", "dgx os")],
)
def test_a_floor_that_holds_is_named_and_one_that_does_not_fails(
    key: str, floor: str, name: str
) -> None:
    satisfied = diagnose_recording(
        load_recording(UP), build_rack_declaration(**SWARM, expected={key: floor})
    )
    assert get_row(satisfied, "spark-1", name).status == "ok"
    assert f"{floor} or newer is expected" in get_row(satisfied, "spark-1", name).message
    broken = diagnose_recording(
        load_recording(UP), build_rack_declaration(**SWARM, expected={key: "999.1"})
    )
    assert get_row(broken, "spark-1", name).status == "fail"
    assert "is older than 999.1, which is expected" in get_row(broken, "spark-1", name).message


@pytest.mark.parametrize(("skew_s", "status"), [(-6.0, "warn"), (3700.0, "fail"), (2.0, "ok")])
def test_a_clock_that_differs_from_this_machine_is_a_row(skew_s: float, status: str) -> None:
    observation = change_report(
        load_recording(UP), "spark-2", ["facts", "clock", "synchronized"], True
    )
    report = observation.nodes["spark-2"].model_copy(update={"clock_skew_s": skew_s})
    moved = observation.model_copy(update={"nodes": {**observation.nodes, "spark-2": report}})
    assert get_row(diagnose_recording(moved), "spark-2", "clock").status == status


def test_declared_memory_that_is_not_there_fails() -> None:
    declaration = build_rack_declaration(**SWARM)
    nodes = [{**node.to_plain(), "memoryGib": 119.7} for node in declaration.cluster.nodes]
    check = get_row(
        diagnose_recording(load_recording(UP), build_rack_declaration(**SWARM, nodes=nodes)),
        "spark-1",
        "memory",
    )
    assert (check.status, check.fix) == ("fail", "set memoryGib to 23.5 at most, or leave it out")


def test_an_old_toolkit_is_no_finding_without_swarm() -> None:
    key_path: list[Key] = ["facts", "container_toolkit", "version"]
    declaration = build_rack_declaration(swarm={"enabled": False})
    assert (
        get_row(
            diagnose_change(key_path, "1.18.2", declaration), "spark-2", "container toolkit"
        ).status
        == "ok"
    )


def test_a_foreign_swarm_fails_unless_it_may_be_taken_over() -> None:
    key_path: list[Key] = ["steps", "swarm", "made"]
    check = get_row(diagnose_change(key_path, []), "spark-2", "swarm")
    assert check.status == "fail"
    assert "in foreign Swarm" in check.message
    declaration = build_rack_declaration(swarm={"enabled": True, "takeOver": True})
    assert get_row(diagnose_change(key_path, [], declaration), "spark-2", "swarm").status == "warn"


def test_a_member_that_the_head_calls_down_fails() -> None:
    key_path: list[Key] = ["facts", "swarm", "nodes", 0, "state"]
    checks = diagnose_recording(change_report(load_recording(UP), "spark-1", key_path, "down"))
    assert get_row(checks, "spark-1", "swarm members").status == "fail"


def test_swarms_port_in_the_hands_of_another_program_fails() -> None:
    listener = {"protocol": "tcp", "address": "*", "port": 7946, "process": "java"}
    checks = diagnose_change(["facts", "ports"], [listener])
    assert (
        get_row(checks, "spark-2", "ports").message == "7946/tcp is taken by java; Swarm needs it"
    )
    dockerd_checks = diagnose_change(["facts", "ports"], [{**listener, "process": "dockerd"}])
    assert list_rows(dockerd_checks, "spark-2", "ports") == []


def test_a_half_without_a_roce_device_or_with_a_dead_one_fails() -> None:
    spark = load_recording(UP).reports["spark-2"].facts.interfaces or ()
    index = [interface.name for interface in spark].index("enp1s0f0np0")
    keys: list[Key] = ["facts", "interfaces", index]
    for change, message in (
        (diagnose_change([*keys, "hca"], None), "enp1s0f0np0 has no RoCE device"),
        (diagnose_change([*keys, "rdma_state"], "DOWN"), "rocep1s0f0 of enp1s0f0np0 is DOWN"),
    ):
        rows = list_rows(change, "spark-2", "rdma")
        assert [row.message for row in rows if row.status == "fail"] == [message]


def test_a_netplan_entry_that_cannot_be_taken_over_fails() -> None:
    netplan_key = {"path": "/etc/netplan/40-cx7.yaml", "key": ["ethernets", "enp1s0f0np0"]}
    entry = {**netplan_key, "interfaces": ["enp1s0f0np0"], "obstacle": "it is matched by a pattern"}
    check = get_row(
        diagnose_change(["steps", "fabric_address", "others"], [entry]), "spark-2", "netplan"
    )
    assert check.message == (
        "/etc/netplan/40-cx7.yaml also sets enp1s0f0np0 and cannot be taken over: "
        "it is matched by a pattern"
    )


def test_a_netplan_entry_for_every_interface_fails_and_the_plan_ends_with_one() -> None:
    halves = ["enP2p1s0f0np0", "enP7s7", "enp1s0f0np0"]
    key = ["network", "ethernets", "any"]
    entry = {"path": "/etc/netplan/01.yaml", "key": key, "interfaces": halves, "obstacle": None}
    check = get_row(
        diagnose_change(["steps", "fabric_address", "others"], [entry]), "spark-2", "netplan"
    )
    assert check.message.endswith("cannot be taken over: it is about enP7s7 too")


def change_interfaces(
    names: set[str], values: dict[str, object], nodes: tuple[str, ...] = ("spark-1", "spark-2")
) -> Observation:
    """The sound rack, in which these interfaces have other values; without values they are gone."""
    observation = load_recording(UP)
    for node in nodes:
        interfaces = [
            interface.model_dump(mode="json") | (values if interface.name in names else {})
            for interface in observation.reports[node].facts.interfaces or ()
            if values or interface.name not in names
        ]
        observation = change_report(observation, node, ["facts", "interfaces"], interfaces)
    return observation


def test_a_cable_on_whose_speed_both_ends_agree_is_a_remark() -> None:
    halves = {"enp1s0f0np0", "enP2p1s0f0np0"}
    checks = diagnose_recording(change_interfaces(halves, {"speed_mbps": 100_000}))
    check = get_row(checks, "spark-1", "cable speed")
    assert (check.status, "100 Gb/s at both ends" in check.message) == ("warn", True)
    assert [row for row in list_rows(checks, "spark-1", "cable") if row.status == "fail"] == []


@pytest.mark.parametrize(("gbps", "statuses"), [(100, []), (200, ["fail", "fail"])])
def test_a_declared_speed_is_what_is_expected(gbps: int, statuses: list[str]) -> None:
    halves = {"enp1s0f0np0", "enP2p1s0f0np0"}
    observation = change_interfaces(halves, {"speed_mbps": 100_000}, ("spark-1", "spark-2"))
    declaration = build_rack_declaration(**SWARM, fabric={"topology": "direct", "linkGbps": gbps})
    rows = diagnose_recording(observation, declaration)
    slow = [row for row in list_rows(rows, "spark-1", "cable") if "100000 Mb/s, exp" in row.message]
    assert [row.status for row in slow] == statuses
    assert list_rows(rows, "spark-1", "cable speed") == []


def test_a_cable_that_is_slow_at_one_end_alone_still_fails() -> None:
    """The control."""
    observation = change_interfaces({"enp1s0f0np0"}, {"speed_mbps": 100_000}, ("spark-2",))
    rows = list_rows(diagnose_recording(observation), "spark-2", "cable")
    assert [row.status for row in rows if "link speed is 100000" in row.message] == ["fail"]


def test_a_second_cable_is_a_remark() -> None:
    observation = change_interfaces({"enp1s0f1np1", "enP2p1s0f1np1"}, {"carrier": True})
    rows = list_rows(diagnose_recording(observation), "spark-1", "cable")
    assert [row.status for row in rows if "a second cable" in row.message] == ["warn"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("enp1s0|enP2p1s0", "the ConnectX-7 is not on the PCI bus"),
        ("enP2p1s0", "half B of the ConnectX-7 is not on the PCI bus"),
    ],
)
def test_a_connectx_that_is_off_the_bus_is_named_as_such(pattern: str, message: str) -> None:
    names = {
        interface.name
        for interface in load_recording(UP).reports["spark-2"].facts.interfaces or ()
        if re.match(pattern, interface.name)
    }
    checks = diagnose_recording(change_interfaces(names, {}, ("spark-2",)))
    check = get_row(checks, "spark-2", "connectx-7")
    assert (check.status, message in check.message) == ("fail", True)
    assert check.fix is not None
    assert "lspci" in check.fix


@pytest.mark.parametrize(
    ("total", "free", "statuses"), [(1_310_720, 12, ["fail"]), (1_310_720, 500_000, []), (0, 0, [])]
)
def test_a_file_system_without_inodes_left_fails_and_one_that_has_no_table_of_them_does_not(
    total: int, free: int, statuses: list[str]
) -> None:
    observation = load_recording(UP)
    for key, value in (("total_inodes", total), ("free_inodes", free)):
        keys: list[Key] = ["facts", "disk", "docker_directory", key]
        observation = change_report(observation, "spark-2", keys, value)
    rows = list_rows(diagnose_recording(observation), "spark-2", "disk")
    assert [row.status for row in rows if "free inodes" in row.message] == statuses


@pytest.mark.parametrize(
    ("reason", "meaning", "remedy"),
    [
        (
            "exit 18: Failed to initialize NVML: Driver/library version mismatch",
            "updated",
            "reboot",
        ),
        (
            "exit 9: NVIDIA-SMI has failed because it couldn't communicate with",
            "module",
            "modprobe",
        ),
        ("exit 6: No devices were found", "does not reach the GPU", "take its power away"),
        ("exit 15: GPU is lost.  Reboot the system", "does not reach the GPU", "sudo reboot"),
        ("command not found", "not installed", "sudo apt install"),
    ],
)
def test_why_no_gpu_can_be_asked_is_told_in_nvidia_smis_words_with_what_to_do(
    reason: str, meaning: str, remedy: str
) -> None:
    result = load_recording(UP).nodes["spark-2"]
    assert result.report is not None
    unread = UnreadableItem(what="fact gpu", why=f"nvidia-smi: {reason}")
    report = result.report.model_copy(
        update={
            "facts": result.report.facts.model_copy(update={"gpu": None}),
            "unreadable": (*result.report.unreadable, unread),
        }
    )
    nodes = {**load_recording(UP).nodes, "spark-2": result.model_copy(update={"report": report})}
    check = get_row(diagnose_recording(Observation(nodes=nodes)), "spark-2", "gpu")
    assert check.status == "fail"
    assert meaning in check.message
    assert remedy in str(check.fix)


@pytest.mark.parametrize(
    ("gts", "width", "count"), [(2.5, 4, 1), (32.0, 1, 1), (16.0, 4, 1), (32.0, 4, 0)]
)
def test_a_half_with_fewer_or_slower_lanes_than_its_own_is_a_row(
    gts: float, width: int, count: int
) -> None:
    values: dict[str, object] = {"pcie_gts": gts, "pcie_width": width}
    checks = diagnose_recording(change_interfaces({"enp1s0f0np0"}, values, ("spark-2",)))
    rows = list_rows(checks, "spark-2", "pcie")
    assert [f"PCIe {gts:g} GT/s x{width}" in row.message for row in rows] == [True] * count


@pytest.mark.parametrize(("mbps", "count"), [(10, 1), (100, 1), (1000, 0), (10_000, 0)])
def test_a_slow_management_link_is_a_row(mbps: int, count: int) -> None:
    checks = diagnose_recording(change_interfaces({"enP7s7"}, {"speed_mbps": mbps}, ("spark-2",)))
    rows = list_rows(checks, "spark-2", "management")
    assert [f"runs at {mbps} Mb/s" in row.message for row in rows] == [True] * count


@pytest.mark.parametrize("kind", ["vlan", "macvlan", "ipvlan"])
def test_what_lies_on_a_half_is_a_row(kind: str) -> None:
    values: dict[str, object] = {"parent": "enp1s0f0np0", "kind": kind}
    checks = diagnose_recording(change_interfaces({"lo"}, values, ("spark-2",)))
    check = get_row(checks, "spark-2", "fabric")
    assert f"lo ({kind}) lies on enp1s0f0np0" in check.message


def test_one_changed_value_makes_no_other_row_of_the_other_node() -> None:
    checks = diagnose_change(["facts", "claim"], "spark/lab")
    spark_1_rows = {row for row in list_problem_rows(checks) if row[0] == "spark-1"}
    assert spark_1_rows == {row for row in SOUND_PROBLEMS if row[0] == "spark-1"}
