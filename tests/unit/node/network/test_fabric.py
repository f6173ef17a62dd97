"""A network change: armed first, confirmed by a fresh login, or taken back by the node itself."""

from __future__ import annotations

import json

import pytest
import yaml

from node.errors import Refusal
from node.host.paths import ARMED
from node.network import netplan
from node.network.link_config import Wish
from node.state import pending_change
from node.steps import STEPS, fabric_address, fabric_confirm
from node.verbs import rollback
from tests.support.fake_network import HALF_A, HALF_B, OTHER_TOOL
from tests.support.fake_spark import claim
from tests.support.node_steps import run_apply, undo_all

FABRIC = {
    HALF_A: Wish(addresses=["192.168.100.10/25"], mtu=9000),
    HALF_B: Wish(addresses=["192.168.100.138/25"], mtu=9000),
}
WANT = dict(fabric_address.wanted(FABRIC, take_over=True))
CX7 = "/etc/netplan/40-cx7.yaml"


def differences(one, want=WANT) -> list[str]:
    seen = fabric_address.observe(one.system, want)
    return fabric_address.differences(fabric_address.narrow(seen, want), want)


@pytest.fixture
def confirmed(one):
    claim(one)
    run_apply(one.system, "fabric_address", WANT)
    run_apply(one.system, "fabric_confirm", {"fabric_address": 1})
    return one


def test_the_words_of_a_first_preview_name_each_thing(one) -> None:
    assert differences(one) == [
        "MTU of enp1s0f0np0 is 1500, will be 9000",
        "address of enp1s0f0np0 is unset, will be 192.168.100.10/25",
        "MTU of enP2p1s0f0np0 is 1500, will be 9000",
        "address of enP2p1s0f0np0 is unset, will be 192.168.100.138/25",
        "/etc/netplan/60-sparkform.yaml is missing, will be written",
        "/etc/netplan/40-cx7.yaml names enp1s0f0np0 too, will be taken over",
    ]


def test_one_drift_is_one_phrase(confirmed) -> None:
    confirmed.network.links[HALF_B]["mtu"] = 1500
    assert differences(confirmed) == ["MTU of enP2p1s0f0np0 is 1500, will be 9000"]
    confirmed.network.links[HALF_B]["mtu"] = 9000
    confirmed.network.links[HALF_A]["addresses"].remove("192.168.100.10/25")
    assert differences(confirmed) == ["address of enp1s0f0np0 is unset, will be 192.168.100.10/25"]
    run_apply(confirmed.system, "fabric_address", WANT, run=2)
    assert differences(confirmed) == []


def test_what_was_taken_over_keeps_what_is_about_other_interfaces(confirmed) -> None:
    text = confirmed.system.read(CX7)
    assert yaml.safe_load(text)["network"]["ethernets"] == {"enp1s0f1np1": {"dhcp4": False}}
    assert "# the playbook wrote this" in text
    undo_all(confirmed.system)
    assert confirmed.system.read(CX7) == OTHER_TOOL


def test_without_leave_to_take_over_the_file_is_refused_by_name(one) -> None:
    claim(one)
    want = dict(fabric_address.wanted(FABRIC, take_over=False))
    assert f"{CX7} names enp1s0f0np0 too, is refused" in differences(one, want)
    before = one.network.state()
    with pytest.raises(Refusal, match=r"40-cx7\.yaml names enp1s0f0np0 too\."):
        run_apply(one.system, "fabric_address", want)
    assert one.network.state() == before
    assert one.system.read(CX7) == OTHER_TOOL
    assert one.system.read(netplan.OWN) is None


BOND = "network:\n  bonds:\n    bond0:\n      interfaces: [enp1s0f0np0]\n"
GLOB = "network:\n  ethernets:\n    all:\n      match: {name: 'en*'}\n      dhcp4: true\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BOND, "it makes them part of bond bond0"),
        (GLOB, "it is about enP2p1s0f1np1, enP7s7, enp1s0f1np1 too"),
        ("network: [enp1s0f0np0", "it is not valid YAML"),
    ],
    ids=["bond", "pattern", "damaged"],
)
def test_what_cannot_be_taken_over_is_refused_with_the_reason(one, text, why) -> None:
    claim(one)
    one.system.put("/etc/netplan/70-theirs.yaml", text)
    with pytest.raises(Refusal, match="70-theirs") as caught:
        run_apply(one.system, "fabric_address", WANT)
    assert why in str(caught.value)


def test_a_file_that_only_a_boot_program_writes_is_refused() -> None:
    found = netplan.claims("/run/netplan/x.yaml", OTHER_TOOL, {}, [HALF_A])
    assert [one.obstacle for one in found] == ["a program writes it anew at each boot"]


def test_an_entry_is_ours_by_name_by_pattern_and_by_hardware_address() -> None:
    macs = {HALF_A: "02:00:00:00:00:0a", "enP7s7": "02:00:00:00:00:07"}
    assert netplan.matching(HALF_A, {}, macs) == {HALF_A}
    assert netplan.matching("x", {"match": {"name": "enp1*"}}, macs) == {HALF_A}
    assert netplan.matching("x", {"match": {"macaddress": "02:00:00:00:00:0A"}}, macs) == {HALF_A}
    assert netplan.matching(HALF_A, {"match": {"driver": "mlx5_core"}}, macs) == set()


def test_a_change_that_nobody_confirms_is_taken_back_and_cannot_be_confirmed_later(one) -> None:
    claim(one)
    before = one.network.state()
    links_before = json.dumps(one.network.links)
    run_apply(one.system, "fabric_address", WANT)
    assert one.network.timers == [pending_change.TIMER]
    rollback.main(one.system, [], "")
    assert json.dumps(one.network.links) == links_before
    assert one.network.state() == before
    assert one.system.read(netplan.OWN) is None
    assert one.system.read(CX7) == OTHER_TOOL
    with pytest.raises(Refusal, match=r"took the network change back at .*within 90 s"):
        run_apply(one.system, "fabric_confirm", {"fabric_address": 1})
    assert differences(one)[-1].startswith("the last change was taken back at ")
    run_apply(one.system, "fabric_address", WANT, run=2)
    run_apply(one.system, "fabric_confirm", {"fabric_address": 2})
    assert differences(one) == []


def test_a_confirmed_change_is_not_taken_back(confirmed) -> None:
    assert confirmed.network.timers == []
    assert rollback.main(confirmed.system, [], "") == ["nothing to take back"]
    assert differences(confirmed) == []


def test_taking_back_goes_to_what_was_confirmed_last_not_to_the_beginning(confirmed) -> None:
    slower = {name: Wish(addresses=one["addresses"], mtu=1500) for name, one in FABRIC.items()}
    want = dict(fabric_address.wanted(slower, take_over=True))
    run_apply(confirmed.system, "fabric_address", want, run=2)
    assert confirmed.network.links[HALF_A]["mtu"] == 1500
    rollback.main(confirmed.system, [], "")
    assert confirmed.network.links[HALF_A] == {
        "up": True,
        "carrier": True,
        "mtu": 9000,
        "addresses": ["192.168.77.10/24", "192.168.100.10/25"],
    }


def test_a_second_change_before_the_confirmation_keeps_the_confirmed_state(one) -> None:
    claim(one)
    before = json.dumps(one.network.links)
    run_apply(one.system, "fabric_address", WANT)
    one.network.links[HALF_A]["mtu"] = 1400
    run_apply(one.system, "fabric_address", WANT, run=2)
    rollback.main(one.system, [], "")
    assert json.dumps(one.network.links) == before


def test_at_boot_only_the_files_are_put_back(one) -> None:
    claim(one)
    run_apply(one.system, "fabric_address", WANT)
    one.system.script.calls.clear()
    rollback.main(one.system, ["--boot"], "")
    assert ["netplan", "generate"] in one.system.script.calls
    assert ["netplan", "apply"] not in one.system.script.calls
    assert one.system.read(CX7) == OTHER_TOOL


def test_a_change_that_does_not_take_effect_is_taken_back_at_once(one, patience) -> None:
    claim(one)
    one.network.breaks = True
    with pytest.raises(Refusal, match=r"After `netplan apply`: MTU of .* as it was before"):
        run_apply(one.system, "fabric_address", WANT)
    assert one.system.read(ARMED) is None
    assert one.system.read(CX7) == OTHER_TOOL
    assert one.network.timers == []


def test_a_link_without_a_cable_is_not_waited_for(one) -> None:
    claim(one)
    one.network.links[HALF_B]["carrier"] = False
    run_apply(one.system, "fabric_address", WANT)


def test_addresses_that_went_with_the_cable_are_no_drift(confirmed) -> None:
    """NetworkManager takes them away with the carrier: the far node is off, or the cable out."""
    half = confirmed.network.links[HALF_B]
    half["addresses"] = []
    assert differences(confirmed, WANT) != []
    half["carrier"] = False
    assert differences(confirmed, WANT) == []
    half["mtu"] = 1400
    assert differences(confirmed, WANT) == [f"MTU of {HALF_B} is 1400, will be 9000"]


def test_an_interface_that_is_not_there_is_refused_by_name(one) -> None:
    claim(one)
    want = dict(fabric_address.wanted({"enp9s0f0np0": FABRIC[HALF_A]}, take_over=True))
    with pytest.raises(Refusal, match="no interface enp9s0f0np0"):
        run_apply(one.system, "fabric_address", want)


def test_an_interface_that_is_used_no_longer_is_released(confirmed) -> None:
    want = dict(fabric_address.wanted({HALF_A: FABRIC[HALF_A]}, take_over=True))
    assert differences(confirmed, want) == [f"{HALF_B} is no longer used, will be released"]
    run_apply(confirmed.system, "fabric_address", want, run=2)
    assert confirmed.network.links[HALF_B]["addresses"] == []
    assert confirmed.network.links[HALF_B]["mtu"] == 1500
    assert HALF_B not in confirmed.system.read(netplan.OWN)


def test_an_mtu_that_is_inherited_again_goes_back_to_what_it_was(confirmed) -> None:
    inherit = {name: Wish(addresses=one["addresses"], mtu=None) for name, one in FABRIC.items()}
    want = dict(fabric_address.wanted(inherit, take_over=True))
    run_apply(confirmed.system, "fabric_address", want, run=2)
    assert confirmed.network.links[HALF_A]["mtu"] == 1500


def test_what_others_add_to_our_file_stays_through_a_repair_and_an_undo(confirmed) -> None:
    tree = yaml.safe_load(confirmed.system.read(netplan.OWN))
    tree["network"]["ethernets"]["enx00"] = {"dhcp4": True}
    confirmed.system.put(netplan.OWN, yaml.safe_dump(tree), 0o600)
    want = dict(fabric_address.wanted({HALF_A: FABRIC[HALF_A]}, take_over=True))
    run_apply(confirmed.system, "fabric_address", want, run=2)
    kept = yaml.safe_load(confirmed.system.read(netplan.OWN))["network"]["ethernets"]
    assert set(kept) == {HALF_A, "enx00"}
    undo_all(confirmed.system)
    rest = yaml.safe_load(confirmed.system.read(netplan.OWN))
    assert rest["network"]["ethernets"] == {"enx00": {"dhcp4": True}}


def test_undoing_the_step_alone_calls_the_waiting_change_off(one) -> None:
    from node.verbs import undo
    from tests.support.node_steps import owner_of

    claim(one)
    run_apply(one.system, "fabric_address", WANT)
    undo.main(one.system, ["fabric_address"], json.dumps({"owner": owner_of("fabric_address")}))
    assert one.network.timers == []
    assert one.system.read(ARMED) is None


def test_confirming_says_in_a_preview_what_waits(one) -> None:
    claim(one)
    want = {"fabric_address": 1}
    run_apply(one.system, "fabric_address", WANT)
    have = fabric_confirm.narrow(fabric_confirm.observe(one.system, want), want)
    assert fabric_confirm.differences(have, want) == ["a network change waits, will be confirmed"]
    run_apply(one.system, "fabric_confirm", want)
    assert fabric_confirm.narrow(fabric_confirm.observe(one.system, want), want) == want


def test_only_steps_that_cut_traffic_disturb_the_fabric(confirmed) -> None:
    have = fabric_address.narrow(fabric_address.observe(confirmed.system, WANT), WANT)
    assert fabric_address.disturbs(have, WANT) == "none"
    assert fabric_address.disturbs({**have, "file": {}}, WANT) == "fabric"
    assert {STEPS[name].disturbs({}, {}) for name in ("fabric_confirm", "fabric_check")} == {"none"}


@pytest.mark.parametrize("arguments", [["--all"], ["--boot", "x"]])
def test_rollback_takes_nothing_else(one, arguments) -> None:
    with pytest.raises(Refusal, match="takes nothing, or --boot"):
        rollback.main(one.system, arguments, "")
