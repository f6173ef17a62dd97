"""Whole diagnoses of recorded racks: what is said of a sound one and of one with one fault."""

from __future__ import annotations

import pytest

from sparkform.doctor import Check
from sparkform.doctor.drift import NOT_CHANGED
from tests.support.recorded import (
    SWARM,
    UNTOUCHED,
    UP,
    build_rack_declaration,
    change_report,
    load_recording,
    silence_node,
)
from tests.unit.doctor.support import diagnose_recording, get_row, list_problem_rows, list_rows

SIMULATED_ROWS = {
    (node, name, "warn") for node in ("spark-1", "spark-2") for name in ("system", "clock")
}
"""The rack runs on x86-64 and keeps no clock of its own: the doctor says so."""


def test_a_sound_rack_has_nothing_but_what_tells_it_from_real_sparks() -> None:
    assert list_problem_rows(diagnose_recording(load_recording(UP))) == SIMULATED_ROWS


def test_an_untouched_rack_has_things_to_do_and_nothing_that_fails() -> None:
    checks = diagnose_recording(load_recording(UNTOUCHED), build_rack_declaration())
    assert {check.name for check in checks if check.status == "warn"} == {
        "system",
        "clock",
        "logout",
        "cable",
        "to do",
    }
    assert not [check for check in checks if check.status == "fail"]


def test_the_lines_of_a_preview_stand_there_word_for_word() -> None:
    checks = diagnose_recording(load_recording(UNTOUCHED), build_rack_declaration())
    messages = "\n".join(check.message for check in list_rows(checks, "spark-1", "to do"))
    assert "spark-1 fabric_address: MTU of enp1s0f0np0 is 1500, will be 9000" in messages


def test_the_same_difference_on_a_node_of_this_stack_is_drift_and_fails() -> None:
    checks = diagnose_recording(load_recording("direct-one-half-at-mtu-1500"))
    assert list_rows(checks, "spark-2", "drift")[0] == Check(
        "spark-2",
        "drift",
        "fail",
        "spark-2 fabric_address: MTU of enP2p1s0f0np0 is 1500, will be 9000",
        "`pulumi up`",
    )


def test_both_ends_of_a_cable_name_the_end_whose_mtu_is_wrong() -> None:
    checks = diagnose_recording(load_recording("direct-one-half-at-mtu-1500"))
    assert get_row(checks, "spark-2", "cable").message.endswith(
        "MTU of spark-2 is 1500, expected 9000"
    )
    spark_1_cable = get_row(checks, "spark-1", "cable")
    assert spark_1_cable.status == "fail"
    assert spark_1_cable.message.endswith("packets of 9000 bytes are lost, small ones pass")
    assert spark_1_cable.fix == "likely the MTU of spark-2 enP2p1s0f0np0 is smaller"


def test_half_a_cable_is_named_as_half_a_cable() -> None:
    checks = diagnose_recording(load_recording("direct-one-half-without-a-link"))
    for node in ("spark-1", "spark-2"):
        cable_row = get_row(checks, node, "cable")
        assert (cable_row.status, cable_row.fix) == ("fail", "reseat the cable at both ends")
        assert "half only: enp1s0f0np0 has a link and this one has none" in cable_row.message


def test_a_gpu_that_fell_off_and_a_dead_dockerd_fail_once_each() -> None:
    checks = diagnose_recording(load_recording("direct-gpu-and-dockerd-gone"))
    assert get_row(checks, "spark-2", "gpu").message == (
        "the driver does not reach the GPU (nvidia-smi: exit 6: No devices were found)"
    )
    assert get_row(checks, "spark-1", "docker").status == "fail"
    assert list_rows(checks, "spark-1", "drift") == []
    assert get_row(checks, "spark-1", "not read").message.startswith(
        "unknown: fact swarm, fact containers, fact services: Docker does not answer"
    )


@pytest.mark.parametrize("missing", ["spark-1", "spark-2"])
def test_a_node_that_does_not_answer_fails_and_the_other_is_judged_alone(missing: str) -> None:
    checks = diagnose_recording(silence_node(load_recording(UP), missing))
    assert get_row(checks, missing, "login") == Check(
        missing, "login", "fail", f"{missing} does not answer.", "Look at it."
    )
    answering = "spark-1" if missing == "spark-2" else "spark-2"
    assert get_row(checks, answering, "login").status == "ok"
    assert f"{missing} is not observed" in get_row(checks, answering, "cable").message


def test_a_node_that_is_away_is_no_finding() -> None:
    declaration = build_rack_declaration(**SWARM)
    nodes = [node.to_plain() for node in declaration.cluster.nodes]
    nodes[1]["away"] = True
    observation = silence_node(load_recording(UP), "spark-2")
    login_row = get_row(
        diagnose_recording(observation, build_rack_declaration(**SWARM, nodes=nodes)),
        "spark-2",
        "login",
    )
    assert (login_row.status, login_row.message) == ("ok", "away by declaration; not contacted")


def test_a_declaration_that_does_not_fit_the_machines_is_a_row_of_the_rack() -> None:
    declaration = build_rack_declaration(fabric={"topology": "direct", "pool": "172.17.0.0/22"})
    rule_rows = list_rows(
        diagnose_recording(load_recording(UNTOUCHED), declaration), None, "rule pool-overlap"
    )
    assert {check.status for check in rule_rows} == {"fail"}
    assert "overlaps 172.17.0.0/16 of spark-1" in rule_rows[0].message


def test_two_machines_of_one_host_name_fail() -> None:
    observation = change_report(
        load_recording(UP), "spark-2", ["facts", "host", "hostname"], "spark-1"
    )
    check = get_row(diagnose_recording(observation), None, "host names")
    assert check.message == "spark-1, spark-2 have the same host name spark-1"


def test_a_ring_has_two_cables_a_node_and_a_switch_one() -> None:
    ring = diagnose_recording(load_recording("ring-untouched"), build_rack_declaration("ring", 3))
    switch = diagnose_recording(
        load_recording("switch-untouched"), build_rack_declaration("switch", 3)
    )
    assert len(list_rows(ring, "spark-1", "cable")) == 4
    assert len(list_rows(switch, "spark-1", "cable")) == 2


def test_each_row_that_is_not_ok_says_what_to_do() -> None:
    for name in (UNTOUCHED, "direct-gpu-and-dockerd-gone", "direct-one-half-at-mtu-1500"):
        for check in diagnose_recording(load_recording(name)):
            if check.name == NOT_CHANGED:
                continue
            is_unknown = check.message.startswith("unknown: ")
            assert (check.fix is None) == (check.status == "ok" or is_unknown), check
