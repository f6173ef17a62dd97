"""Rows of replicas: one each, and what becomes of one says nothing of the others."""

from __future__ import annotations

from node.ranks.rank import NodeRanks
from sparkform.commands.status.text import build_screen
from sparkform.commands.tables import create_console
from sparkform.status.rack_status import RackStatus
from tests.support.status_documents import (
    SERVICE,
    build_declaration,
    build_document,
    build_rank,
    build_report,
    build_status,
)


def build_replicas(phase: str) -> RackStatus:
    """Two of one node each; the second in this phase."""
    block = SERVICE | {"replicas": 2, "tensorParallel": 1}
    second = build_document(
        0,
        ranks=NodeRanks((build_rank(0, "qwen_2"),)),
        supervision={"qwen_2": build_report(0, "qwen_2", phase=phase)},
    )
    return build_status({"spark-2": second}, build_declaration(services={"qwen": block}))


def test_each_group_has_its_row_its_node_and_its_phase() -> None:
    services = build_replicas("recovering").services
    assert [(row.name, row.node, row.state) for row in services] == [
        ("qwen", "spark-1", "serving"),
        ("qwen_2", "spark-2", "recovering"),
    ]
    assert [len(row.ranks) for row in services] == [1, 1]
    assert [row.is_serving for row in services] == [True, False]


def test_the_screen_shows_both() -> None:
    console = create_console()
    with console.capture() as capture:
        console.print(build_screen(build_replicas("serving")))
    assert "qwen_2" in capture.get()
    assert "2 of 2 services serve" in capture.get()
