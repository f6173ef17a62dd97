"""A network change: armed first, confirmed by a fresh login, or rolled back by the node itself."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
import yaml

from node.errors import StepError
from node.host.paths import ARMED_NETWORK, NETPLAN_FILE
from node.network import arp, change, netplan
from node.network.link_config import LinkConfig
from node.state import pending_change
from node.steps import STEPS, StepRequest, fabric_address, fabric_confirm, is_same
from node.verbs import rollback
from tests.support import node_steps
from tests.support.fake_network import HALF_A, HALF_B, OTHER_TOOL
from tests.support.fake_spark import claim_node
from tests.support.node_steps import run_apply, undo_all

FABRIC = {
    HALF_A: LinkConfig(addresses=["192.168.100.10/25"], mtu=9000),
    HALF_B: LinkConfig(addresses=["192.168.100.138/25"], mtu=9000),
}
WANT = fabric_address.build_want(FABRIC, take_over=True)
CX7 = "/etc/netplan/40-cx7.yaml"


def list_differences(spark, want=WANT) -> list[str]:
    interfaces = tuple(want.interfaces)
    return node_steps.list_differences(
        fabric_address.SPEC, spark.system, want, interfaces=interfaces
    )


@pytest.fixture
def confirmed(spark):
    claim_node(spark)
    run_apply(spark.system, "fabric_address", WANT)
    run_apply(spark.system, "fabric_confirm", {"fabric_address": 1})
    return spark


def test_the_words_of_a_first_preview_name_each_thing(spark) -> None:
    assert list_differences(spark) == [
        "MTU of enp1s0f0np0 is 1500, will be 9000",
        "address of enp1s0f0np0 is unset, will be 192.168.100.10/25",
        "MTU of enP2p1s0f0np0 is 1500, will be 9000",
        "address of enP2p1s0f0np0 is unset, will be 192.168.100.138/25",
        "/etc/netplan/60-sparkform.yaml is missing, will be written",
        "/etc/netplan/40-cx7.yaml names enp1s0f0np0 too, will be taken over",
    ]


def test_one_drift_is_one_phrase(confirmed) -> None:
    confirmed.network.links[HALF_B]["mtu"] = 1500
    assert list_differences(confirmed) == ["MTU of enP2p1s0f0np0 is 1500, will be 9000"]
    confirmed.network.links[HALF_B]["mtu"] = 9000
    confirmed.network.links[HALF_A]["addresses"].remove("192.168.100.10/25")
    assert list_differences(confirmed) == [
        "address of enp1s0f0np0 is unset, will be 192.168.100.10/25"
    ]
    run_apply(confirmed.system, "fabric_address", WANT, run=2)
    assert list_differences(confirmed) == []


def test_halves_that_answer_for_each_other_are_bound_without_disturbing_anything(confirmed) -> None:
    system, path = confirmed.system, f"/proc/sys/net/ipv4/conf/{HALF_A}/arp_ignore"
    assert system.read(path) == "1\n"
    system.put(path, "0\n")
    assert list_differences(confirmed) == [
        "ARP of enp1s0f0np0 answers for others, will not any more"
    ]
    have = fabric_address.narrow(
        fabric_address.observe(system, StepRequest(interfaces=tuple(FABRIC))), WANT
    )
    assert fabric_address.get_disturbance(have, WANT) == "none"
    run_apply(system, "fabric_address", WANT, run=2)
    assert (system.read(path), list_differences(confirmed)) == ("1\n", [])
    assert pending_change.read_state(system) is None


def test_the_settings_of_arp_last_until_undo(confirmed) -> None:
    system, path = confirmed.system, f"/proc/sys/net/ipv4/conf/{HALF_B}/arp_announce"
    text = system.read(arp.SYSCTL_FILE)
    assert f"net/ipv4/conf/{HALF_B}/arp_announce = 2\n" in text
    system.remove(arp.SYSCTL_FILE)
    assert len(list_differences(confirmed)) == 1
    run_apply(system, "fabric_address", WANT, run=2)
    assert system.read(arp.SYSCTL_FILE) == text
    undo_all(system)
    assert (system.read(arp.SYSCTL_FILE), system.read(path)) == (None, "0\n")


def test_what_was_taken_over_keeps_what_is_about_other_interfaces(confirmed) -> None:
    text = confirmed.system.read(CX7)
    assert yaml.safe_load(text)["network"]["ethernets"] == {"enp1s0f1np1": {"dhcp4": False}}
    assert "# the playbook wrote this" in text
    undo_all(confirmed.system)
    assert confirmed.system.read(CX7) == OTHER_TOOL


def test_without_leave_to_take_over_the_file_is_refused_by_name(spark) -> None:
    claim_node(spark)
    want = fabric_address.build_want(FABRIC, take_over=False)
    assert f"{CX7} names enp1s0f0np0 too, is refused" in list_differences(spark, want)
    before = spark.network.read_state()
    with pytest.raises(StepError, match=r"40-cx7\.yaml names enp1s0f0np0 too\."):
        run_apply(spark.system, "fabric_address", want)
    assert spark.network.read_state() == before
    assert spark.system.read(CX7) == OTHER_TOOL
    assert spark.system.read(NETPLAN_FILE) is None


def test_a_file_that_another_folder_hides_claims_nothing(spark) -> None:
    """/run comes over /etc, as netplan itself takes them."""
    spark.system.put("/run/netplan/40-cx7.yaml", "network:\n  version: 2\n")
    assert not any("40-cx7" in line for line in list_differences(spark))
    spark.system.put("/lib/netplan/40-cx7.yaml", OTHER_TOOL)
    spark.system.path("/run/netplan/40-cx7.yaml").unlink()
    assert [line for line in list_differences(spark) if "40-cx7" in line] == [
        "/etc/netplan/40-cx7.yaml names enp1s0f0np0 too, will be taken over"
    ]


BOND = "network:\n  bonds:\n    bond0:\n      interfaces: [enp1s0f0np0]\n"
GLOB = "network:\n  ethernets:\n    all:\n      match: {name: 'en*'}\n      dhcp4: true\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOND, "it makes them part of bond bond0"),
        (GLOB, "it is about enP2p1s0f1np1, enP7s7, enp1s0f1np1 too"),
        ("network: [enp1s0f0np0", "it is not valid YAML"),
    ],
    ids=["bond", "pattern", "damaged"],
)
def test_what_cannot_be_taken_over_is_refused_with_the_reason(spark, text, reason) -> None:
    claim_node(spark)
    spark.system.put("/etc/netplan/70-theirs.yaml", text)
    with pytest.raises(StepError, match="70-theirs") as caught:
        run_apply(spark.system, "fabric_address", WANT)
    assert reason in str(caught.value)


def test_a_file_that_only_a_boot_program_writes_is_refused() -> None:
    claims = netplan.find_claims("/run/netplan/x.yaml", OTHER_TOOL, {}, [HALF_A])
    assert [netplan_claim.obstacle for netplan_claim in claims] == [
        "a program writes it anew at each boot"
    ]


def test_an_entry_is_ours_by_name_by_pattern_and_by_hardware_address() -> None:
    macs = {HALF_A: "02:00:00:00:00:0a", "enP7s7": "02:00:00:00:00:07"}
    assert netplan.match_interfaces(HALF_A, {}, macs) == {HALF_A}
    assert netplan.match_interfaces("x", {"match": {"name": "enp1*"}}, macs) == {HALF_A}
    assert netplan.match_interfaces("x", {"match": {"macaddress": "02:00:00:00:00:0A"}}, macs) == {
        HALF_A
    }
    by_driver = {"match": {"driver": "mlx5_core"}}
    assert netplan.match_interfaces("x", by_driver, macs) == {HALF_A}


def test_a_change_that_nobody_confirms_is_taken_back_and_cannot_be_confirmed_later(spark) -> None:
    claim_node(spark)
    before = spark.network.read_state()
    links_before = json.dumps(spark.network.links)
    run_apply(spark.system, "fabric_address", WANT)
    assert spark.network.timers == [pending_change.TIMER]
    rollback.main(spark.system, [], "")
    assert json.dumps(spark.network.links) == links_before
    assert spark.network.read_state() == before
    assert spark.system.read(NETPLAN_FILE) is None
    assert spark.system.read(CX7) == OTHER_TOOL
    with pytest.raises(StepError, match=r"Network rolled back at .*within 90 s"):
        run_apply(spark.system, "fabric_confirm", {"fabric_address": 1})
    assert list_differences(spark)[-1].startswith("network rolled back at ")
    run_apply(spark.system, "fabric_address", WANT, run=2)
    run_apply(spark.system, "fabric_confirm", {"fabric_address": 2})
    assert list_differences(spark) == []


def test_a_confirmed_change_is_not_taken_back(confirmed) -> None:
    assert confirmed.network.timers == []
    assert rollback.main(confirmed.system, [], "") == ["no network change pending"]
    assert list_differences(confirmed) == []


def test_taking_back_goes_to_what_was_confirmed_last_not_to_the_beginning(confirmed) -> None:
    slower = {
        name: LinkConfig(addresses=config["addresses"], mtu=1500) for name, config in FABRIC.items()
    }
    want = fabric_address.build_want(slower, take_over=True)
    run_apply(confirmed.system, "fabric_address", want, run=2)
    assert confirmed.network.links[HALF_A]["mtu"] == 1500
    rollback.main(confirmed.system, [], "")
    assert confirmed.network.links[HALF_A] == {
        "up": True,
        "carrier": True,
        "mtu": 9000,
        "addresses": ["192.168.77.10/24", "192.168.100.10/25"],
    }


def test_a_second_change_before_the_confirmation_keeps_the_confirmed_state(spark) -> None:
    claim_node(spark)
    before = json.dumps(spark.network.links)
    run_apply(spark.system, "fabric_address", WANT)
    spark.network.links[HALF_A]["mtu"] = 1400
    run_apply(spark.system, "fabric_address", WANT, run=2)
    rollback.main(spark.system, [], "")
    assert json.dumps(spark.network.links) == before


def test_at_boot_only_the_files_are_put_back(spark) -> None:
    claim_node(spark)
    run_apply(spark.system, "fabric_address", WANT)
    spark.system.script.calls.clear()
    rollback.main(spark.system, ["--boot"], "")
    assert ["netplan", "generate"] in spark.system.script.calls
    assert ["netplan", "apply"] not in spark.system.script.calls
    assert spark.system.read(CX7) == OTHER_TOOL


def test_a_change_that_does_not_take_effect_is_taken_back_at_once(spark, patience) -> None:
    claim_node(spark)
    spark.network.breaks = True
    with pytest.raises(StepError, match=r"After `netplan apply`: MTU of .* as it was before"):
        run_apply(spark.system, "fabric_address", WANT)
    assert spark.system.read(ARMED_NETWORK) is None
    assert spark.system.read(CX7) == OTHER_TOOL
    assert spark.network.timers == []


def test_a_link_without_a_cable_is_not_waited_for(spark) -> None:
    claim_node(spark)
    spark.network.links[HALF_B]["carrier"] = False
    started = time.monotonic()
    run_apply(spark.system, "fabric_address", WANT)
    assert time.monotonic() - started < change.SETTLE_S
    assert "192.168.100.10/25" in spark.network.links[HALF_A]["addresses"]
    assert spark.system.read(ARMED_NETWORK) is not None


def test_addresses_that_went_with_the_cable_are_no_drift(confirmed) -> None:
    """NetworkManager takes them away with the carrier: the far node is off, or the cable out."""
    half = confirmed.network.links[HALF_B]
    half["addresses"] = []
    assert list_differences(confirmed, WANT) != []
    half["carrier"] = False
    assert list_differences(confirmed, WANT) == []
    half["mtu"] = 1400
    assert list_differences(confirmed, WANT) == [f"MTU of {HALF_B} is 1400, will be 9000"]


def test_an_interface_that_is_not_there_is_refused_by_name(spark) -> None:
    claim_node(spark)
    want = fabric_address.build_want({"enp9s0f0np0": FABRIC[HALF_A]}, take_over=True)
    with pytest.raises(StepError, match="no interface enp9s0f0np0"):
        run_apply(spark.system, "fabric_address", want)


def test_an_interface_that_is_used_no_longer_is_released(confirmed) -> None:
    want = fabric_address.build_want({HALF_A: FABRIC[HALF_A]}, take_over=True)
    assert list_differences(confirmed, want) == [f"{HALF_B} is no longer used, will be released"]
    run_apply(confirmed.system, "fabric_address", want, run=2)
    assert confirmed.network.links[HALF_B]["addresses"] == []
    assert confirmed.network.links[HALF_B]["mtu"] == 1500
    assert HALF_B not in confirmed.system.read(NETPLAN_FILE)


def test_an_mtu_that_is_inherited_again_goes_back_to_what_it_was(confirmed) -> None:
    inherit = {
        name: LinkConfig(addresses=config["addresses"], mtu=None) for name, config in FABRIC.items()
    }
    want = fabric_address.build_want(inherit, take_over=True)
    run_apply(confirmed.system, "fabric_address", want, run=2)
    assert confirmed.network.links[HALF_A]["mtu"] == 1500


def test_what_others_add_to_our_file_stays_through_a_repair_and_an_undo(confirmed) -> None:
    tree = yaml.safe_load(confirmed.system.read(NETPLAN_FILE))
    tree["network"]["ethernets"]["enx00"] = {"dhcp4": True}
    confirmed.system.put(NETPLAN_FILE, yaml.safe_dump(tree), 0o600)
    want = fabric_address.build_want({HALF_A: FABRIC[HALF_A]}, take_over=True)
    run_apply(confirmed.system, "fabric_address", want, run=2)
    ethernets = yaml.safe_load(confirmed.system.read(NETPLAN_FILE))["network"]["ethernets"]
    assert set(ethernets) == {HALF_A, "enx00"}
    undo_all(confirmed.system)
    tree_after = yaml.safe_load(confirmed.system.read(NETPLAN_FILE))
    assert tree_after["network"]["ethernets"] == {"enx00": {"dhcp4": True}}


def test_undoing_the_step_alone_calls_the_waiting_change_off(spark) -> None:
    from node.verbs import undo
    from tests.support.node_steps import format_owner

    claim_node(spark)
    run_apply(spark.system, "fabric_address", WANT)
    undo.main(
        spark.system, ["fabric_address"], json.dumps({"owner": format_owner("fabric_address")})
    )
    assert spark.network.timers == []
    assert spark.system.read(ARMED_NETWORK) is None


def test_confirming_says_in_a_preview_what_waits(spark) -> None:
    claim_node(spark)
    spec, want = fabric_confirm.SPEC, fabric_confirm.Want(1)
    run_apply(spark.system, "fabric_address", WANT)
    assert node_steps.list_differences(spec, spark.system, want) == [
        "network change pending, will be confirmed"
    ]
    run_apply(spark.system, "fabric_confirm", want)
    assert is_same(node_steps.read_have(spec, spark.system, want), want)


def test_only_steps_that_cut_traffic_disturb_the_fabric(confirmed) -> None:
    have = node_steps.read_have(fabric_address.SPEC, confirmed.system, WANT)
    assert fabric_address.get_disturbance(have, WANT) == "none"
    assert fabric_address.get_disturbance(replace(have, file={}), WANT) == "fabric"
    assert {STEPS[name].get_disturbance({}, {}) for name in ("fabric_confirm", "fabric_check")} == {
        "none"
    }


@pytest.mark.parametrize("arguments", [["--all"], ["--boot", "x"]])
def test_rollback_takes_nothing_else(spark, arguments) -> None:
    with pytest.raises(StepError, match="takes nothing, or --boot"):
        rollback.main(spark.system, arguments, "")
