"""Whole diagnoses of recorded racks: what is said of a sound one and of one with one fault."""

from __future__ import annotations

import pytest

from sparkform.doctor import Check
from tests.support.recorded import SWARM, UNTOUCHED, UP, changed, rack_spec, recording, silent
from tests.unit.doctor.support import checks_of, not_ok, row, rows

SIMULATED = {
    (node, name, "warn") for node in ("spark-1", "spark-2") for name in ("system", "clock")
}
"""The rack runs on x86-64 and keeps no clock of its own: the doctor says so."""


def test_a_sound_rack_has_nothing_but_what_tells_it_from_real_sparks() -> None:
    assert not_ok(checks_of(recording(UP))) == SIMULATED


def test_an_untouched_rack_has_things_to_do_and_nothing_that_fails() -> None:
    checks = checks_of(recording(UNTOUCHED), rack_spec())
    assert {one.name for one in checks if one.status == "warn"} == {
        "system",
        "clock",
        "logout",
        "cable",
        "to do",
    }
    assert not [one for one in checks if one.status == "fail"]


def test_the_lines_of_a_preview_stand_there_word_for_word() -> None:
    checks = checks_of(recording(UNTOUCHED), rack_spec())
    said = "\n".join(one.message for one in rows(checks, "spark-1", "to do"))
    assert "spark-1 fabric_address: MTU of enp1s0f0np0 is 1500, will be 9000" in said


def test_the_same_difference_on_a_node_of_this_stack_is_drift_and_fails() -> None:
    checks = checks_of(recording("direct-one-half-at-mtu-1500"))
    assert rows(checks, "spark-2", "drift")[0] == Check(
        "spark-2",
        "drift",
        "fail",
        "spark-2 fabric_address: MTU of enP2p1s0f0np0 is 1500, will be 9000",
        "`pulumi up`",
    )


def test_both_ends_of_a_cable_name_the_end_whose_mtu_is_wrong() -> None:
    checks = checks_of(recording("direct-one-half-at-mtu-1500"))
    assert row(checks, "spark-2", "cable").message.endswith(
        "MTU of spark-2 is 1500, 9000 is wanted"
    )
    near = row(checks, "spark-1", "cable")
    assert near.status == "fail"
    assert near.message.endswith("packets of 9000 bytes are lost, small ones pass")
    assert near.fix == "likely the MTU of spark-2 enP2p1s0f0np0 is smaller"


def test_half_a_cable_is_named_as_half_a_cable() -> None:
    checks = checks_of(recording("direct-one-half-without-a-link"))
    for node in ("spark-1", "spark-2"):
        found = row(checks, node, "cable")
        assert (found.status, found.fix) == ("fail", "reseat the cable at both ends")
        assert "half only: enp1s0f0np0 has a link and this one has none" in found.message


def test_a_gpu_that_fell_off_and_a_dead_dockerd_fail_once_each() -> None:
    checks = checks_of(recording("direct-gpu-and-dockerd-gone"))
    assert row(checks, "spark-2", "gpu").message == (
        "no GPU: nvidia-smi: exit 6: No devices were found"
    )
    assert row(checks, "spark-1", "docker").status == "fail"
    assert rows(checks, "spark-1", "drift") == []
    assert row(checks, "spark-1", "not read").message.startswith(
        "fact swarm, fact containers, fact services: docker does not answer"
    )


@pytest.mark.parametrize("missing", ["spark-1", "spark-2"])
def test_a_node_that_does_not_answer_fails_and_the_other_is_judged_alone(missing: str) -> None:
    checks = checks_of(silent(recording(UP), missing))
    assert row(checks, missing, "login") == Check(
        missing, "login", "fail", f"{missing} does not answer.", "Look at it."
    )
    other = "spark-1" if missing == "spark-2" else "spark-2"
    assert row(checks, other, "login").status == "ok"
    assert f"not tried, {missing} is not there" in row(checks, other, "cable").message


def test_a_node_that_is_away_is_no_finding() -> None:
    spec = rack_spec(**SWARM)
    nodes = [one.plain() for one in spec.cluster.nodes]
    nodes[1]["away"] = True
    seen = silent(recording(UP), "spark-2")
    found = row(checks_of(seen, rack_spec(**SWARM, nodes=nodes)), "spark-2", "login")
    assert (found.status, found.message) == ("ok", "away: not contacted, by declaration")


def test_a_declaration_that_does_not_fit_the_machines_is_a_row_of_the_rack() -> None:
    spec = rack_spec(fabric={"topology": "direct", "pool": "172.17.0.0/22"})
    found = rows(checks_of(recording(UNTOUCHED), spec), None, "rule pool-overlap")
    assert {one.status for one in found} == {"fail"}
    assert "overlaps 172.17.0.0/16 of spark-1" in found[0].message


def test_two_machines_of_one_host_name_fail() -> None:
    seen = changed(recording(UP), "spark-2", ["facts", "host", "hostname"], "spark-1")
    found = row(checks_of(seen), None, "host names")
    assert found.message == "spark-1, spark-2 all call themselves spark-1"


def test_a_ring_has_two_cables_a_node_and_a_switch_one() -> None:
    ring = checks_of(recording("ring-untouched"), rack_spec("ring", 3))
    switch = checks_of(recording("switch-untouched"), rack_spec("switch", 3))
    assert len(rows(ring, "spark-1", "cable")) == 4
    assert len(rows(switch, "spark-1", "cable")) == 2


def test_each_row_that_is_not_ok_says_what_to_do() -> None:
    for name in (UNTOUCHED, "direct-gpu-and-dockerd-gone", "direct-one-half-at-mtu-1500"):
        for check in checks_of(recording(name)):
            assert (check.fix is None) == (check.status == "ok"), check
