from __future__ import annotations

from sparkform.fabric.away import told_port
from sparkform.report.facts import NodeDocument
from tests.support.planning import declared, installed, planned, recorded

NODES = [
    {"name": "spark-1", "host": "10.0.0.1"},
    {"name": "spark-2", "host": "10.0.0.2", "away": True},
]


def moved(document: NodeDocument) -> NodeDocument:
    """As if its partner's cable had been in the other port."""
    receipts = {
        step: text.replace("-spark-2:0", "-spark-2:1") for step, text in document.receipts.items()
    }
    return document.model_copy(update={"receipts": receipts})


def test_the_port_of_a_node_that_is_away_is_told_by_its_partner() -> None:
    there = {"spark-1": recorded("direct-2-up")["spark-1"]}
    assert told_port("spark-2", there) == 0
    assert told_port("spark-2", {"spark-1": moved(there["spark-1"])}) == 1
    assert told_port("spark-3", there) is None
    assert told_port("spark-2", {"spark-1": recorded("direct-2-untouched")["spark-1"]}) is None


def test_its_resources_keep_the_names_that_hold_the_port() -> None:
    documents = recorded("direct-2-up")
    sha256 = installed(documents)
    there = {"spark-1": moved(documents["spark-1"])}
    plan = planned(declared("direct", 2, nodes=NODES), there, sha256)
    (link,) = plan.links
    assert link.cable.name == "spark-1:0-spark-2:1"
    assert link.checks["spark-2"].step == "fabric_check:1"
    assert all(check.is_held for check in link.checks.values())
