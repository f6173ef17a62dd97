"""No host key is trusted that nobody was shown and accepted."""

from __future__ import annotations

from sparkform.commands.init.host_key_acceptance import offers, refuse, unaccepted
from sparkform.report.rack_report import NodeError, NodeReport, Observation
from tests.support.recorded import UNTOUCHED, recording

KEY, PRINT = "ssh-ed25519 AAAA", "SHA256:abc"


def failed(kind: str, key: str | None = KEY) -> NodeReport:
    error = NodeError.model_validate({"kind": kind, "what": "x", "remedy": "y"})
    return NodeReport(error=error, host_key=key)


def seen(**reports: NodeReport) -> Observation:
    return Observation(nodes=reports)


def test_an_unknown_key_has_to_be_accepted_and_a_known_one_not() -> None:
    known = recording(UNTOUCHED).nodes["spark-1"].model_copy(update={"host_key": KEY})
    found = offers(seen(a=failed("unknown_host_key"), b=known), {KEY: PRINT})
    assert [(one.node, one.is_known) for one in found] == [("a", False), ("b", True)]
    assert [one.node for one in unaccepted(found, [])] == ["a"]


def test_a_key_that_has_changed_is_no_offer_at_all() -> None:
    assert offers(seen(a=failed("changed_host_key")), {KEY: PRINT}) == ()


def test_a_node_that_showed_no_key_is_no_offer() -> None:
    assert offers(seen(a=failed("unreachable", None)), {}) == ()


def test_a_fingerprint_is_accepted_with_and_without_its_prefix_and_no_other_is() -> None:
    found = offers(seen(a=failed("unknown_host_key")), {KEY: PRINT})
    assert unaccepted(found, ["abc"]) == unaccepted(found, [PRINT]) == ()
    assert unaccepted(found, ["abd", "SHA256:ab", ""]) == found


def test_the_refusal_names_the_fingerprint_to_compare() -> None:
    found = offers(seen(a=failed("unknown_host_key")), {KEY: PRINT})
    for is_asked in (True, False):
        (problem,) = refuse(found, is_asked).problems
        assert (problem.path, problem.got) == ("a", PRINT)
        assert str(problem).endswith(f"--accept {PRINT}")
