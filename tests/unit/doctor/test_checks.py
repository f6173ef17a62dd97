"""Each check on the sound rack with one value changed: the row that it then is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.recorded import SWARM, UP, Key, changed, rack_spec, recording
from tests.unit.doctor.support import after_change, checks_of, not_ok, row, rows

SOUND = not_ok(checks_of(recording(UP)))
GIB = 1024**3
FACTS: list[Key] = ["facts"]

CASES: list[tuple[str, list[Key], Any, str, str, str]] = [
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
    ("clock kept", ["clock", "synchronized"], True, "clock", "ok", "kept by a time daemon"),
    ("no linger", ["login", "linger"], False, "logout", "fail", "removes the shared memory"),
    (
        "another GPU",
        ["gpu", "gpus", 0, "compute_capability"],
        "12.0",
        "gpu",
        "warn",
        "compute capability 12.0: not a DGX Spark's 12.1",
    ),
    ("no GPU", ["gpu", "gpus"], [], "gpu", "fail", "no GPU: nvidia-smi lists none"),
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
]


@pytest.mark.parametrize(
    ("place", "value", "name", "status", "words"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_a_fact_that_is_not_as_it_should_be_is_its_row(
    place: list[Key], value: Any, name: str, status: str, words: str
) -> None:
    found = rows(after_change([*FACTS, *place], value), "spark-2", name)
    matching = [one for one in found if words in one.message]
    assert [one.status for one in matching] == [status], found


def test_the_sound_rack_has_none_of_those_rows() -> None:
    checks = checks_of(recording(UP))
    said = "\n".join(one.message for one in checks if one.status != "ok")
    assert not [case for case in CASES if case[4] != "ok" and case[5] in said]


@pytest.mark.parametrize(
    ("key", "floor", "name"),
    [("driver", "580.95", "driver"), ("cuda", "13.0", "cuda"), ("dgxOs", "7.2", "dgx os")],
)
def test_a_floor_that_holds_is_named_and_one_that_does_not_fails(
    key: str, floor: str, name: str
) -> None:
    held = checks_of(recording(UP), rack_spec(**SWARM, expected={key: floor}))
    assert row(held, "spark-1", name).status == "ok"
    assert f"{floor} or newer is expected" in row(held, "spark-1", name).message
    broken = checks_of(recording(UP), rack_spec(**SWARM, expected={key: "999.1"}))
    assert row(broken, "spark-1", name).status == "fail"
    assert "is older than 999.1, which is expected" in row(broken, "spark-1", name).message


@pytest.mark.parametrize(("skew_s", "status"), [(-6.0, "warn"), (3700.0, "fail"), (2.0, "ok")])
def test_a_clock_that_differs_from_this_machine_is_a_row(skew_s: float, status: str) -> None:
    seen = changed(recording(UP), "spark-2", ["facts", "clock", "synchronized"], True)
    report = seen.nodes["spark-2"].model_copy(update={"clock_skew_s": skew_s})
    moved = seen.model_copy(update={"nodes": {**seen.nodes, "spark-2": report}})
    assert row(checks_of(moved), "spark-2", "clock").status == status


def test_declared_memory_that_is_not_there_fails() -> None:
    spec = rack_spec(**SWARM)
    nodes = [{**one.plain(), "memoryGib": 119.7} for one in spec.cluster.nodes]
    found = row(checks_of(recording(UP), rack_spec(**SWARM, nodes=nodes)), "spark-1", "memory")
    assert (found.status, found.fix) == ("fail", "set memoryGib to 23.5 at most, or leave it out")


def test_an_old_toolkit_is_no_finding_without_swarm() -> None:
    place: list[Key] = ["facts", "container_toolkit", "version"]
    spec = rack_spec(swarm={"enabled": False})
    assert row(after_change(place, "1.18.2", spec), "spark-2", "container toolkit").status == "ok"


def test_a_foreign_swarm_fails_unless_it_may_be_taken_over() -> None:
    place: list[Key] = ["steps", "swarm", "made"]
    found = row(after_change(place, []), "spark-2", "swarm")
    assert found.status == "fail"
    assert "which is not ours" in found.message
    spec = rack_spec(swarm={"enabled": True, "takeOver": True})
    assert row(after_change(place, [], spec), "spark-2", "swarm").status == "warn"


def test_a_member_that_the_head_calls_down_fails() -> None:
    place: list[Key] = ["facts", "swarm", "nodes", 0, "state"]
    checks = checks_of(changed(recording(UP), "spark-1", place, "down"))
    assert row(checks, "spark-1", "swarm members").status == "fail"


def test_swarms_port_in_the_hands_of_another_program_fails() -> None:
    taken = {"protocol": "tcp", "address": "*", "port": 7946, "process": "java"}
    checks = after_change(["facts", "ports"], [taken])
    assert row(checks, "spark-2", "ports").message == "7946/tcp is taken by java, Swarm needs it"
    own = after_change(["facts", "ports"], [{**taken, "process": "dockerd"}])
    assert rows(own, "spark-2", "ports") == []


def test_a_half_without_a_roce_device_or_with_a_dead_one_fails() -> None:
    spark = recording(UP).documents["spark-2"].facts.interfaces or ()
    at = [one.name for one in spark].index("enp1s0f0np0")
    place: list[Key] = ["facts", "interfaces", at]
    gone = rows(after_change([*place, "hca"], None), "spark-2", "rdma")
    assert [one.message for one in gone if one.status == "fail"] == [
        "enp1s0f0np0 has no RoCE device"
    ]
    down = rows(after_change([*place, "rdma_state"], "DOWN"), "spark-2", "rdma")
    assert [one.message for one in down if one.status == "fail"] == [
        "rocep1s0f0 of enp1s0f0np0 is DOWN"
    ]


def test_a_netplan_entry_that_cannot_be_taken_over_fails() -> None:
    other = {"path": "/etc/netplan/40-cx7.yaml", "key": ["ethernets", "enp1s0f0np0"]}
    entry = {**other, "interfaces": ["enp1s0f0np0"], "obstacle": "it is matched by a pattern"}
    found = row(after_change(["steps", "fabric_address", "others"], [entry]), "spark-2", "netplan")
    assert found.message == (
        "/etc/netplan/40-cx7.yaml also sets enp1s0f0np0 and cannot be taken over: "
        "it is matched by a pattern"
    )


def test_one_changed_value_makes_no_other_row_of_the_other_node() -> None:
    checks = after_change(["facts", "claim"], "spark/lab")
    mine = {one for one in not_ok(checks) if one[0] == "spark-1"}
    assert mine == {one for one in SOUND if one[0] == "spark-1"}
