from __future__ import annotations

from sparkform.fabric.recall import find_last_known_port
from sparkform.report.facts import NodeReport
from tests.support.planning import build_declaration, build_plan, get_agent_sha256, load_reports

NODES = [
    {"name": "spark-1", "host": "10.0.0.1"},
    {"name": "spark-2", "host": "10.0.0.2", "away": True},
]


def move_port(report: NodeReport) -> NodeReport:
    """As if its partner's cable had been in the other port."""
    receipts = {
        step: text.replace("-spark-2:0", "-spark-2:1") for step, text in report.receipts.items()
    }
    return report.model_copy(update={"receipts": receipts})


def test_the_port_of_a_node_that_is_away_is_told_by_its_partner() -> None:
    reports = {"spark-1": load_reports("direct-2-up")["spark-1"]}
    assert find_last_known_port("spark-2", reports) == 0
    assert find_last_known_port("spark-2", {"spark-1": move_port(reports["spark-1"])}) == 1
    assert find_last_known_port("spark-3", reports) is None
    assert (
        find_last_known_port("spark-2", {"spark-1": load_reports("direct-2-untouched")["spark-1"]})
        is None
    )


def test_a_node_tells_its_own_port_where_its_interfaces_were_not_read() -> None:
    report = move_port(load_reports("direct-2-up")["spark-2"])
    assert find_last_known_port("spark-2", {"spark-2": report}) == 1


def test_its_resources_keep_the_names_that_hold_the_port() -> None:
    reports = load_reports("direct-2-up")
    sha256 = get_agent_sha256(reports)
    reports_of_present = {"spark-1": move_port(reports["spark-1"])}
    plan = build_plan(build_declaration("direct", 2, nodes=NODES), reports_of_present, sha256)
    (link,) = plan.links
    assert link.cable.name == "spark-1:0-spark-2:1"
    assert link.checks["spark-2"].step == "fabric_check:1"
    assert all(check.is_held for check in link.checks.values())
