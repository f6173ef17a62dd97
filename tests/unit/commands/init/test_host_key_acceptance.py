"""No host key is trusted that nobody was shown and accepted."""

from __future__ import annotations

from sparkform.commands.init.host_key_acceptance import build_refusal, find_unaccepted, list_offers
from sparkform.report.rack_report import NodeError, Observation, QueryResult
from tests.support.recorded import UNTOUCHED, load_recording

KEY, PRINT = "ssh-ed25519 AAAA", "SHA256:abc"


def build_failure(kind: str, key: str | None = KEY) -> QueryResult:
    error = NodeError.model_validate({"kind": kind, "what": "x", "remedy": "y"})
    return QueryResult(error=error, host_key=key)


def build_observation(**reports: QueryResult) -> Observation:
    return Observation(nodes=reports)


def test_an_unknown_key_has_to_be_accepted_and_a_known_one_not() -> None:
    known = load_recording(UNTOUCHED).nodes["spark-1"].model_copy(update={"host_key": KEY})
    listed = list_offers(
        build_observation(a=build_failure("unknown_host_key"), b=known), {KEY: PRINT}
    )
    assert [(offer.node, offer.is_known) for offer in listed] == [("a", False), ("b", True)]
    assert [offer.node for offer in find_unaccepted(listed, [])] == ["a"]


def test_a_key_that_has_changed_is_no_offer_at_all() -> None:
    assert list_offers(build_observation(a=build_failure("changed_host_key")), {KEY: PRINT}) == ()


def test_a_node_that_showed_no_key_is_no_offer() -> None:
    assert list_offers(build_observation(a=build_failure("unreachable", None)), {}) == ()


def test_a_fingerprint_is_accepted_with_and_without_its_prefix_and_no_other_is() -> None:
    listed = list_offers(build_observation(a=build_failure("unknown_host_key")), {KEY: PRINT})
    assert find_unaccepted(listed, ["abc"]) == find_unaccepted(listed, [PRINT]) == ()
    assert find_unaccepted(listed, ["abd", "SHA256:ab", ""]) == listed


def test_the_refusal_names_the_fingerprint_to_compare() -> None:
    listed = list_offers(build_observation(a=build_failure("unknown_host_key")), {KEY: PRINT})
    for is_asked in (True, False):
        (problem,) = build_refusal(listed, is_asked).problems
        assert (problem.path, problem.got) == ("a", PRINT)
        assert str(problem).endswith(f"--accept {PRINT}")
