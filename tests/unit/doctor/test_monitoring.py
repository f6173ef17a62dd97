"""A container of monitoring that is gone is a row of its node's, and of no other's."""

from __future__ import annotations

from dataclasses import replace

from sparkform.config import parse_config
from sparkform.doctor.check import Check, NodeView
from sparkform.doctor.monitoring import check_monitoring
from sparkform.plan.monitoring_containers import ContainerTrouble
from sparkform.plan.rack import plan_rack
from tests.support.recorded import (
    STACK,
    UP,
    build_rack_declaration,
    get_recorded_agent,
    load_recording,
)

TROUBLE = ContainerTrouble("spark-2", "container x is gone", "`pulumi up --refresh` makes it anew")


def test_what_no_step_puts_right_is_a_row_of_its_node() -> None:
    observation = load_recording(UP)
    declaration = parse_config(build_rack_declaration().cluster.to_plain(), {}, {})
    plan = plan_rack(declaration, observation.reports, STACK, get_recorded_agent(observation))
    assert plan.monitoring
    troubled = replace(plan, monitoring=replace(plan.monitoring, troubles=(TROUBLE,)))
    rows: dict[str, list[Check]] = {}
    for node in ("spark-1", "spark-2"):
        view = NodeView(
            declaration,
            STACK,
            troubled,
            declaration.get_node(node),
            observation.nodes[node],
            observation.reports[node],
        )
        rows[node] = list(check_monitoring(view))
        assert list(check_monitoring(replace(view, plan=plan))) == []
        assert list(check_monitoring(replace(view, plan=replace(plan, monitoring=None)))) == []
    assert rows["spark-1"] == []
    (row,) = rows["spark-2"]
    assert (row.node, row.name, row.status) == ("spark-2", "monitoring", "fail")
    assert (row.message, row.fix) == (TROUBLE.message, TROUBLE.remedy)
