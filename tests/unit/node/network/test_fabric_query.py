"""Packets that are tried while a node is observed: asked for by address, answered by interface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from node.host.system import CommandResult
from node.network import fabric_query
from node.steps import StepRequest, fabric_check
from tests.support.fake_network import HALF_A, FakeNetwork, add_network
from tests.support.fake_spark import FakeSpark, build_spark

OWN_ADDRESS, PEER_ADDRESS = "192.168.100.10", "192.168.100.11"
REQUEST = {
    "probes": [{"address": OWN_ADDRESS, "peer_address": PEER_ADDRESS, "mtu": 9000}],
    "known_addresses": [PEER_ADDRESS],
}
STRANGER_MAC = "4c:bb:47:00:00:01"


def build_cabled(root: Path, answers: bool, largest: int = 9000) -> FakeSpark:
    """A Spark with the address on half A; its peer answers packets of up to `largest` bytes."""
    node = build_spark(root)
    network: FakeNetwork = add_network(node)
    network.links[HALF_A] |= {"up": True, "mtu": 9000, "addresses": [f"{OWN_ADDRESS}/25"]}

    def ping(argv: list[str], stdin: str) -> CommandResult:
        size = int(argv[argv.index("-s") + 1]) + 28 if "-s" in argv else 84
        return CommandResult(0 if answers and size <= largest else 1, "", "")

    node.system.script.commands |= {
        ("ping",): ping,
        ("ip", "-j", "route", "get"): lambda argv, stdin: CommandResult(
            0, f'[{{"dev":"{HALF_A}"}}]', ""
        ),
        ("ip", "-j", "neighbour"): lambda argv, stdin: CommandResult(
            0, json.dumps([{"dst": PEER_ADDRESS, "lladdr": STRANGER_MAC}, {"dst": "x"}]), ""
        ),
    }
    return node


def get_probe(answer: Any) -> dict[str, Any]:
    (probe,) = answer["probes"]
    return dict(probe)


def test_nothing_is_sent_where_nothing_is_asked_for(tmp_path: Path) -> None:
    node = build_cabled(tmp_path, answers=True)
    assert fabric_check.observe(node.system, StepRequest(raw={"interfaces": []})) == {}


def test_a_peer_that_answers_is_told_with_interface_and_route(tmp_path: Path) -> None:
    probe = get_probe(
        fabric_check.observe(build_cabled(tmp_path, answers=True).system, StepRequest(raw=REQUEST))
    )
    assert probe == {
        "address": OWN_ADDRESS,
        "peer_address": PEER_ADDRESS,
        "interface": HALF_A,
        "route": HALF_A,
        "small": True,
        "jumbo": True,
        "neighbours": [],
    }


def test_large_packets_are_told_apart_from_small_ones(tmp_path: Path) -> None:
    probe = get_probe(
        fabric_query.query_probes(build_cabled(tmp_path, True, largest=1500).system, REQUEST)
    )
    assert (probe["small"], probe["jumbo"]) == (True, False)


def test_a_peer_that_is_silent_is_looked_for_by_hardware_address(tmp_path: Path) -> None:
    probe = get_probe(
        fabric_query.query_probes(build_cabled(tmp_path, answers=False).system, REQUEST)
    )
    assert (probe["small"], probe["jumbo"]) == (False, None)
    assert probe["neighbours"] == [STRANGER_MAC]


def test_an_address_that_no_interface_has_is_not_tried(tmp_path: Path) -> None:
    request_value = {
        "probes": [{"address": "192.168.100.99", "peer_address": PEER_ADDRESS, "mtu": None}]
    }
    probe = get_probe(
        fabric_query.query_probes(build_cabled(tmp_path, answers=True).system, request_value)
    )
    assert (probe["interface"], probe["small"]) == (None, None)
