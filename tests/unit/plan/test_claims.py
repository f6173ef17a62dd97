from __future__ import annotations

import pytest

from sparkform.plan.rack import plan_rack
from sparkform.report.facts import NodeReport
from tests.support.planning import STACK, build_declaration, load_reports


def set_claim(report: NodeReport, claim: str | None) -> NodeReport:
    facts = report.facts.model_copy(update={"claim": claim})
    return report.model_copy(update={"facts": facts})


def test_every_node_of_another_stack_is_named_at_once_and_nothing_is_planned() -> None:
    reports = {
        name: set_claim(report, "sparkform/other")
        for name, report in load_reports("direct-2-up").items()
    }
    plan = plan_rack(build_declaration("direct", 2), reports, STACK, "any")
    assert [problem.path for problem in plan.problems] == ["cluster.nodes[0]", "cluster.nodes[1]"]
    assert "spark-2 belongs to stack sparkform/other, not to sparkform/rec" in str(plan.problems[1])
    assert plan.steps == ()


@pytest.mark.parametrize("claim", [None, f"{STACK.project}/{STACK.stack}"])
def test_free_nodes_and_our_own_are_no_problem(claim: str | None) -> None:
    reports = {
        name: set_claim(report, claim) for name, report in load_reports("direct-2-up").items()
    }
    assert plan_rack(build_declaration("direct", 2), reports, STACK, "any").problems == ()


def test_a_stack_that_was_renamed_is_told_how_to_get_its_name_back() -> None:
    """Its nodes are claimed under the old name, in which nothing can be destroyed any more."""
    declaration = build_declaration("direct", 2)
    for claim, is_told in ((f"{STACK.project}/old", True), ("another/old", False)):
        reports = {
            name: set_claim(report, claim) for name, report in load_reports("direct-2-up").items()
        }
        text = str(plan_rack(declaration, reports, STACK, "any").problems[0])
        assert ("run `pulumi stack rename old`" in text) is is_told
