"""Whatever part of whatever node is not read: no traceback, and no claim about it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from node.readings.measure import Unread
from node.verbs.status import NodeDocument
from sparkform.commands.status.text import build_screen
from sparkform.commands.tables import create_console
from sparkform.status.build import build_rack_status
from sparkform.status.events import list_events
from sparkform.status.rack_status import list_reasons
from sparkform.status.readings import NodeReading
from tests.support.status_documents import (
    NOW_S,
    STACK,
    build_declaration,
    build_document,
    build_telemetry,
)

WHY = Unread("not read in this test")
PARTS = ("ranks", "supervision", "telemetry")
SECTIONS = ("gpus", "memory", "links")


@st.composite
def draw_documents(draw: st.DrawFn) -> NodeDocument | Unread:
    if draw(st.booleans()):
        return WHY
    unread = draw(st.sets(st.sampled_from(PARTS)))
    sections = draw(st.sets(st.sampled_from(SECTIONS)))
    changes: dict[str, object] = {
        "telemetry": build_telemetry(**dict.fromkeys(sections, WHY)),
        **dict.fromkeys(unread, WHY),
    }
    return build_document(draw(st.integers(0, 1)), **changes)


@given(st.lists(draw_documents(), min_size=4, max_size=4), st.floats(0, 20))
def test_any_part_may_be_unread(documents: list[NodeDocument | Unread], age_s: float) -> None:
    declaration = build_declaration()
    before, after = (
        build_rack_status(
            STACK,
            declaration,
            {f"spark-{at + 1}": NodeReading(item, age_s) for at, item in enumerate(pair)},
            NOW_S,
        )
        for pair in (documents[:2], documents[2:])
    )
    list_events(before, after)
    console = create_console()
    with console.capture() as captured:
        console.print(build_screen(after))
    text = captured.get()
    json.dumps(after.to_json())
    assert all(reason in text.replace("\n", " ") for reason in list_reasons(after))
    for node, document in zip(after.nodes, documents[2:], strict=True):
        if isinstance(document, Unread):
            assert node.gpu_power_w == node.memory_used_gib == node.contact == WHY
