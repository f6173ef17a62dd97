from __future__ import annotations

import pytest

from sparkform.plan.rack import plan_rack
from sparkform.report.facts import NodeDocument
from tests.support.planning import STACK, declared, recorded


def claimed(document: NodeDocument, claim: str | None) -> NodeDocument:
    facts = document.facts.model_copy(update={"claim": claim})
    return document.model_copy(update={"facts": facts})


def test_every_node_of_another_stack_is_named_at_once_and_nothing_is_planned() -> None:
    documents = {
        name: claimed(found, "sparkform/other") for name, found in recorded("direct-2-up").items()
    }
    plan = plan_rack(declared("direct", 2), documents, STACK, "any")
    assert [problem.path for problem in plan.problems] == ["cluster.nodes[0]", "cluster.nodes[1]"]
    assert "spark-2 belongs to stack sparkform/other, not to sparkform/rec" in str(plan.problems[1])
    assert plan.steps == ()


@pytest.mark.parametrize("claim", [None, f"{STACK.project}/{STACK.stack}"])
def test_free_nodes_and_our_own_are_no_problem(claim: str | None) -> None:
    documents = {name: claimed(found, claim) for name, found in recorded("direct-2-up").items()}
    assert plan_rack(declared("direct", 2), documents, STACK, "any").problems == ()
