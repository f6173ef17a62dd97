"""Packets that are tried while a node is observed: asked for by address, answered by interface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from node.host.system import Result
from node.network import fabric_query
from node.steps import fabric_check
from tests.support.fake_network import HALF_A, FakeNetwork, networked
from tests.support.fake_spark import FakeSpark, spark

OWN, PEER = "192.168.100.10", "192.168.100.11"
ASKED = {"probes": [{"address": OWN, "peer_address": PEER, "mtu": 9000}], "known_addresses": [PEER]}
STRANGER = "4c:bb:47:00:00:01"


def cabled(root: Path, answers: bool, largest: int = 9000) -> FakeSpark:
    """A Spark with the address on half A; its peer answers packets of up to `largest` bytes."""
    one = spark(root)
    network: FakeNetwork = networked(one)
    network.links[HALF_A] |= {"up": True, "mtu": 9000, "addresses": [f"{OWN}/25"]}

    def ping(argv: list[str], stdin: str) -> Result:
        size = int(argv[argv.index("-s") + 1]) + 28 if "-s" in argv else 84
        return Result(0 if answers and size <= largest else 1, "", "")

    one.system.script.commands |= {
        ("ping",): ping,
        ("ip", "-j", "route", "get"): lambda argv, stdin: Result(0, f'[{{"dev":"{HALF_A}"}}]', ""),
        ("ip", "-j", "neighbour"): lambda argv, stdin: Result(
            0, json.dumps([{"dst": PEER, "lladdr": STRANGER}, {"dst": "x"}]), ""
        ),
    }
    return one


def only(found: dict[str, Any]) -> dict[str, Any]:
    (probe,) = found["probes"]
    return dict(probe)


def test_nothing_is_sent_where_nothing_is_asked_for(tmp_path: Path) -> None:
    one = cabled(tmp_path, answers=True)
    assert fabric_check.observe(one.system, {"interfaces": []}) == {}


def test_a_peer_that_answers_is_told_with_interface_and_route(tmp_path: Path) -> None:
    found = only(fabric_check.observe(cabled(tmp_path, answers=True).system, ASKED))
    assert found == {
        "address": OWN,
        "peer_address": PEER,
        "interface": HALF_A,
        "route": HALF_A,
        "small": True,
        "jumbo": True,
        "neighbours": [],
    }


def test_large_packets_are_told_apart_from_small_ones(tmp_path: Path) -> None:
    found = only(fabric_query.look(cabled(tmp_path, True, largest=1500).system, ASKED))
    assert (found["small"], found["jumbo"]) == (True, False)


def test_a_peer_that_is_silent_is_looked_for_by_hardware_address(tmp_path: Path) -> None:
    found = only(fabric_query.look(cabled(tmp_path, answers=False).system, ASKED))
    assert (found["small"], found["jumbo"]) == (False, None)
    assert found["neighbours"] == [STRANGER]


def test_an_address_that_no_interface_has_is_not_tried(tmp_path: Path) -> None:
    asked = {"probes": [{"address": "192.168.100.99", "peer_address": PEER, "mtu": None}]}
    found = only(fabric_query.look(cabled(tmp_path, answers=True).system, asked))
    assert (found["interface"], found["small"]) == (None, None)
