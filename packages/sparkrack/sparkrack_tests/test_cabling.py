from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkrack import cabling
from sparkrack.ports import Port


def list_wires(text: str) -> list[list[str]]:
    return [[str(port) for port in segment.ports] for segment in cabling.build_segments(text)]


def test_a_direct_cable_joins_both_halves_of_the_same_port() -> None:
    assert list_wires(cabling.render_cabling("direct", 2)) == [
        ["spark-1:0a", "spark-2:0a"],
        ["spark-1:0b", "spark-2:0b"],
    ]


def test_a_ring_goes_from_port_0_to_the_next_nodes_port_1() -> None:
    assert cabling.render_cabling("ring", 3) == (
        "spark-1:0-spark-2:1,spark-2:0-spark-3:1,spark-3:0-spark-1:1"
    )


def test_a_switch_is_one_wire_for_all_halves_of_port_0() -> None:
    (segment,) = cabling.build_segments(cabling.render_cabling("switch", 3))
    assert not segment.is_cable
    assert {port.qsfp for port in segment.ports} == {0}
    assert len(segment.ports) == 6


def test_no_fabric_is_no_wire() -> None:
    assert cabling.build_segments(cabling.render_cabling("none", 1)) == []


def test_a_half_alone_can_be_cabled() -> None:
    assert list_wires("spark-1:0b-spark-2:1b") == [["spark-1:0b", "spark-2:1b"]]


def test_a_file_with_comments_reads_as_the_pairs_in_it() -> None:
    text = "# crossed\nspark-1:0-spark-2:1  # other port\n\nspark-1:1a-switch\n"
    assert cabling.split_pairs(text) == ["spark-1:0-spark-2:1", "spark-1:1a-switch"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("spark-1:2-spark-2:0", "--cabling: invalid cable (got spark-1:2-spark-2:0)"),
        ("spark-1:0a-spark-2:0b", "--cabling: invalid cable (got spark-1:0a-spark-2:0b)"),
        ("spark-1:0a-spark-2:0", "--cabling: invalid cable (got spark-1:0a-spark-2:0)"),
        ("switch-spark-1:0", "--cabling: invalid cable (got switch-spark-1:0)"),
        ("spark-1:0-spark-3:0", "unknown node (got spark-3)"),
        ("spark-1:0-spark-2:0,spark-1:0b-switch", "port used twice (got spark-1:0b)"),
    ],
)
def test_a_wrong_cabling_is_named(text: str, sentence: str) -> None:
    (problem,) = cabling.check_cabling(text, nodes=2)
    assert sentence in str(problem)


def test_all_wrong_cables_are_named_at_once() -> None:
    assert len(cabling.check_cabling("one, two", nodes=2)) == 2


@given(st.sampled_from(["direct", "ring", "switch"]), st.integers(2, 8))
def test_the_far_end_of_the_far_end_is_the_port_itself(fabric: str, nodes: int) -> None:
    wired = cabling.build_segments(cabling.render_cabling(fabric, nodes))
    for port in (port for segment in wired for port in segment.ports):
        for far in cabling.find_far_ends(wired, port):
            assert cabling.find_far_ends(wired, far) == [port]


def test_a_port_behind_a_switch_has_no_far_end() -> None:
    wired = cabling.build_segments(cabling.render_cabling("switch", 2))
    assert cabling.find_far_ends(wired, Port(1, 0, "a")) == []
