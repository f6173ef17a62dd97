"""Each cause that a person can mend has its own sentence, and a healthy link has none."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from node.errors import StepError
from node.host.system import CommandResult
from node.network import fabric_probe, fabric_verdict
from node.network.fabric_probe import HalfProbe, format_mapped_gid
from node.network.fabric_verdict import Ports
from node.steps import fabric_check
from tests.support.fake_network import HALF_A, HALF_B
from tests.support.fake_spark import claim_node
from tests.support.fake_system import SUCCESS
from tests.support.node_steps import run_apply

FAR_A, FAR_B = HALF_A, HALF_B
PORT_1 = "enp1s0f1np1"


def build_ports(linked: tuple[str, ...] = (HALF_A, HALF_B), off: tuple[str, ...] = ()) -> Ports:
    return Ports(linked, off, planned=(HALF_A, HALF_B))


def build_half(interface: str = HALF_A, peer: str = "spark-2", peer_host: int = 11) -> Any:
    net = "192.168.100." if interface == HALF_A else "192.168.101."
    return {
        "node": "spark-1",
        "cable": f"spark-1:0-{peer}:0",
        "interface": interface,
        "address": f"{net}10",
        "peer": peer,
        "peer_interface": interface,
        "peer_address": f"{net}{peer_host}",
        "mtu": 9000,
        "speed_mbps": 200000,
    }


def build_good_probe(link_half: Any) -> HalfProbe:
    return HalfProbe(
        mtu=9000,
        addresses=(link_half["address"],),
        speed_mbps=200000,
        route=link_half["interface"],
        small=True,
        jumbo=True,
        gid=True,
    )


A, B = build_half(HALF_A), build_half(HALF_B)
NAME = "cable spark-1:0-spark-2:0, spark-1 enp1s0f0np0 to spark-2 enp1s0f0np0: "


def list_sentences(probes: Any, node_ports: Ports, via: str) -> list[str]:
    return [
        link_verdict.sentence
        for link_verdict in fabric_verdict.judge_halves(probes, node_ports, via)
    ]


def judge_half_a(node_ports: Ports | None = None, via: str = "cable", **changes: Any) -> list[str]:
    """What is said when half A is good but for these."""
    probes = [(A, replace(build_good_probe(A), **changes)), (B, build_good_probe(B))]
    return list_sentences(probes, node_ports or build_ports(), via)


def test_a_healthy_link_is_nothing_to_talk_about() -> None:
    assert judge_half_a() == []


def test_an_unknown_speed_and_an_unknown_gid_are_no_fault() -> None:
    assert judge_half_a(speed_mbps=None, gid=None) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"exists": False},
            "this node has no interface enp1s0f0np0; `ip link` lists what it has",
        ),
        (
            {"addresses": ()},
            "address 192.168.100.10 is missing on it; `pulumi up` sets it",
        ),
        (
            {"route": "enP7s7"},
            "the route to 192.168.100.11 leaves by enP7s7; another network of this node overlaps "
            "the pool",
        ),
        ({"mtu": 1500}, "MTU of spark-1 is 1500, expected 9000; `pulumi up` sets it"),
        (
            {"speed_mbps": 100000},
            "link speed is 100000 Mb/s, expected 200000; try another cable",
        ),
        (
            {"gid": False},
            "its RoCE device has no GID for 192.168.100.10; set the link down and up",
        ),
        (
            {"jumbo": False},
            "packets of 9000 bytes are lost, small ones pass; likely the MTU of spark-2 "
            "enp1s0f0np0 is smaller",
        ),
        (
            {"small": False, "jumbo": None},
            "half only: the other half answers, this one does not; check enp1s0f0np0 of spark-2",
        ),
        (
            {"small": False, "jumbo": None, "neighbours": ("spark-2 enp1s0f1np1",)},
            "wrong port: the cable ends in port 1 of spark-2 (enp1s0f1np1), the plan says port 0 "
            "(enp1s0f0np0)",
        ),
        (
            {"small": False, "jumbo": None, "neighbours": ("spark-3 enp1s0f1np1",)},
            "wrong cabling: the cable leads to spark-3 enp1s0f1np1, the plan says spark-2 "
            "enp1s0f0np0",
        ),
    ],
)
def test_each_cause_has_its_sentence(changes, sentence) -> None:
    assert judge_half_a(**changes) == [NAME + sentence]


def test_a_half_without_a_link_beside_one_that_has_it() -> None:
    assert judge_half_a(build_ports((HALF_B,)), carrier=False) == [
        NAME + "half only: enP2p1s0f0np0 has a link and this one has none; reseat the cable at "
        "both ends"
    ]


def test_a_cable_in_the_other_port_of_this_node() -> None:
    assert judge_half_a(build_ports((PORT_1,)), carrier=False) == [
        NAME + "wrong port: spark-1 has its link on port 1, the plan says 0; move the cable, or "
        "set qsfpPort"
    ]


def test_no_link_anywhere_says_where_else_the_cable_may_be() -> None:
    assert judge_half_a(build_ports(()), carrier=False) == [
        NAME + "no link: the cable is out at one end, or spark-2 is off"
    ]
    assert judge_half_a(build_ports((), (PORT_1,)), carrier=False) == [
        NAME + "no link: the cable is out at one end, or in port 1, which is switched off, or "
        "spark-2 is off"
    ]


def test_what_is_wrong_at_the_own_end_is_said_once_for_all_peers() -> None:
    other_half = build_half(HALF_A, peer="spark-3", peer_host=12)
    probes = [
        (link_half, replace(build_good_probe(link_half), carrier=False))
        for link_half in (A, other_half)
    ]
    assert list_sentences(probes, build_ports(()), "switch") == [
        NAME + "no link: the cable is out at one end, or the switch is off"
    ]


def test_the_link_of_another_cable_is_no_stray_one() -> None:
    """On a ring both ports are used, and each is checked by itself."""
    both = Ports(linked=(PORT_1,), off=(), planned=(HALF_A, HALF_B, PORT_1))
    assert judge_half_a(both, carrier=False) == [
        NAME + "no link: the cable is out at one end, or spark-2 is off"
    ]


def test_behind_a_switch_who_else_hears_proves_nothing() -> None:
    silent: dict[str, Any] = {"small": False, "jumbo": None}
    twin = judge_half_a(via="switch", **silent, neighbours=("spark-2 enP2p1s0f0np0",))
    assert twin == judge_half_a(via="switch", **silent)
    assert judge_half_a(via="switch", **silent, neighbours=("spark-3 enp1s0f0np0",)) == twin
    (sentence,) = judge_half_a(via="switch", **silent, neighbours=("spark-2 enp1s0f1np1",))
    assert "wrong port: the cable ends in port 1 of spark-2" in sentence


@pytest.mark.parametrize(
    ("changes", "lasts"),
    [
        ({"exists": False}, True),
        ({"jumbo": False}, True),
        ({"small": False, "jumbo": None, "neighbours": ("spark-2 enp1s0f1np1",)}, True),
        ({"small": False, "jumbo": None, "neighbours": ("spark-3 enp1s0f1np1",)}, True),
        ({"small": False, "jumbo": None}, False),
        ({"carrier": False}, False),
        ({"addresses": ()}, False),
        ({"mtu": 1500}, True),
        ({"speed_mbps": 100000}, True),
        ({"route": "enP7s7"}, False),
        ({"gid": False}, False),
    ],
)
def test_only_what_settling_cannot_explain_is_certain(changes, lasts) -> None:
    probes = [(A, replace(build_good_probe(A), **changes)), (B, build_good_probe(B))]
    (link_verdict,) = fabric_verdict.judge_halves(probes, build_ports(), "cable")
    assert link_verdict.is_lasting is lasts


def test_a_peer_that_answers_on_no_half() -> None:
    silent: dict[str, Any] = {"small": False, "jumbo": None}
    probes = [
        (A, replace(build_good_probe(A), **silent)),
        (B, replace(build_good_probe(B), **silent)),
    ]
    assert len(list_sentences(probes, build_ports(), "cable")) == 2
    assert "does not answer on 192.168.100.11" in list_sentences(probes, build_ports(), "cable")[0]


def test_a_switch_is_named_when_large_packets_reach_nobody_and_the_peer_when_only_it() -> None:
    other_half = build_half(HALF_A, peer="spark-3", peer_host=12)
    lost = replace(build_good_probe(A), jumbo=False)
    (both,) = list_sentences([(A, lost), (other_half, lost)], build_ports(), "switch")
    assert both.endswith("likely the MTU of the switch's ports is below 9000")
    (alone,) = list_sentences([(A, lost)], build_ports(), "switch")
    assert alone.endswith("likely the MTU of the switch's ports is below 9000 (or of spark-2)")
    sentences = list_sentences(
        [(A, lost), (other_half, build_good_probe(other_half))], build_ports(), "switch"
    )
    assert sentences == [
        NAME + "packets of 9000 bytes are lost, small ones pass, and large ones pass to other "
        "nodes; likely the MTU of spark-2"
    ]


def test_neighbours_are_known_by_their_hardware_address() -> None:
    text = json.dumps([{"dst": "x", "lladdr": "aa"}, {"dst": "y"}, {"dst": "z", "lladdr": "bb"}])
    ends = {"aa": "spark-3 enp1s0f1np1"}
    assert fabric_probe.match_ends(fabric_probe.parse_macs(text), ends) == ("spark-3 enp1s0f1np1",)
    assert fabric_probe.parse_macs("damaged") == ()


@pytest.fixture
def cabled(spark):
    """A node whose half A is as planned and whose other end answers small packets and large."""
    claim_node(spark)
    spark.network.links[HALF_A] |= {"addresses": ["192.168.100.10/24"], "mtu": 9000, "up": True}
    route = json.dumps([{"dst": "192.168.100.11", "dev": HALF_A}])
    spark.system.script.commands |= {
        ("ping",): lambda argv, stdin: SUCCESS,
        ("ip", "-j", "route", "get"): lambda argv, stdin: CommandResult(0, route, ""),
        ("ip", "-j", "neighbour"): lambda argv, stdin: CommandResult(0, "[]", ""),
    }
    spark.system.put(f"/sys/class/net/{HALF_A}/speed", "200000\n")
    spark.system.put("/sys/class/infiniband/rocep1s0f0/device/net/enp1s0f0np0/x", "")
    gid = "0000:0000:0000:0000:0000:ffff:c0a8:640a"
    spark.system.put("/sys/class/infiniband/rocep1s0f0/ports/1/gids/3", f"{gid}\n")
    return spark


WANT: dict[str, Any] = {
    "halves": [A],
    "via": "cable",
    "planned": [HALF_A, HALF_B],
    "known_addresses": ["192.168.100.11"],
    "ends": {},
    "checked": {},
}


def test_the_check_changes_nothing_and_says_what_passes(cabled) -> None:
    links = json.dumps(cabled.network.links)
    assert run_apply(cabled.system, "fabric_check", WANT) == [
        "cable spark-1:0-spark-2:0: enp1s0f0np0 passes"
    ]
    assert json.dumps(cabled.network.links) == links
    pings = [argv for argv in cabled.system.script.calls if argv[0] == "ping"]
    assert {argv[argv.index("-s") + 1] for argv in pings} == {"1472", "8972"}
    assert all(argv[-2:] == [HALF_A, "192.168.100.11"] for argv in pings)


def test_a_gid_that_is_missing_is_seen_by_its_address_at_any_index(cabled, patience) -> None:
    cabled.system.put("/sys/class/infiniband/rocep1s0f0/ports/1/gids/3", "fe80::1\n")
    with pytest.raises(StepError, match=r"no GID for 192\.168\.100\.10"):
        run_apply(cabled.system, "fabric_check", WANT)


def test_a_lost_large_packet_fails_the_check(cabled, patience) -> None:
    cabled.system.script.commands[("ping",)] = lambda argv, stdin: CommandResult(
        1 if "8972" in argv else 0, "", ""
    )
    with pytest.raises(StepError, match="likely the MTU of spark-2"):
        run_apply(cabled.system, "fabric_check", WANT)
    assert fabric_check.CONFIRM_S <= sum(patience) < fabric_check.CONFIRM_S + 2


def test_what_may_be_settling_is_waited_for_to_the_end(cabled, patience) -> None:
    cabled.system.script.commands[("ping",)] = lambda argv, stdin: CommandResult(1, "", "")
    with pytest.raises(StepError, match="does not answer on"):
        run_apply(cabled.system, "fabric_check", WANT)
    assert sum(patience) >= fabric_check.SETTLE_S


def test_a_large_packet_that_is_lost_for_a_moment_fails_nothing(cabled, patience) -> None:
    """Seen once after a long silence: the addresses may have come before the MTU."""

    def ping(argv: list[str], stdin: str) -> CommandResult:
        small = sum(patience) < fabric_check.CONFIRM_S + 1
        large = sum(patience) < fabric_check.CONFIRM_S + 2
        return CommandResult(int(large if "8972" in argv else small), "", "")

    cabled.system.script.commands[("ping",)] = ping
    assert run_apply(cabled.system, "fabric_check", WANT) == [
        "cable spark-1:0-spark-2:0: enp1s0f0np0 passes"
    ]


def test_a_link_that_comes_back_within_seconds_passes(cabled, patience) -> None:
    """After `netplan apply` an address may go away once more."""
    cabled.system.script.commands[("ping",)] = lambda argv, stdin: CommandResult(
        0 if sum(patience) > fabric_check.SETTLE_S / 2 else 1, "", ""
    )
    assert run_apply(cabled.system, "fabric_check", WANT) == [
        "cable spark-1:0-spark-2:0: enp1s0f0np0 passes"
    ]


def test_a_step_without_state_is_what_is_wanted() -> None:
    spec, want = fabric_check.SPEC, fabric_check.SPEC.parse_want(WANT)
    assert spec.narrow(spec.read_observed(None), want) == want
    assert spec.compare(want, want) == []


def test_a_gid_is_written_as_the_kernel_writes_it_under_every_python() -> None:
    assert format_mapped_gid("192.168.100.10") == "0000:0000:0000:0000:0000:ffff:c0a8:640a"
