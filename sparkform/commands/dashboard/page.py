"""The page's HTML from the state of a rack. Pure but for the templates, which are files."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from node.readings.measure import Figure, Unread
from sparkform.commands.dashboard import sparkline
from sparkform.commands.dashboard.drawing import NODE_HEIGHT, NODE_WIDTH, WIDTH, build_drawing
from sparkform.commands.dashboard.history import FigureSample, History
from sparkform.status import wording
from sparkform.status.events import BAD_STATES, GOOD_STATES, StatusEvent
from sparkform.status.rack_status import RackStatus, list_reasons

SECTIONS = ("summary", "drawing", "services", "nodes", "unread", "events")
"""Each has a template of its name and an element of this id, and is sent when it has changed."""

FULL = 100.0


def render_page(status: RackStatus, sections: Mapping[str, str]) -> str:
    return load_templates().get_template("page.html").render(status=status, sections=sections)


def render_sections(
    status: RackStatus, history: History, events: Sequence[StatusEvent]
) -> dict[str, str]:
    """By id."""
    context = {
        "status": status,
        "history": history,
        "events": events,
        "drawing": build_drawing(status),
        "reasons": list_reasons(status),
    }
    templates = load_templates()
    return {name: templates.get_template(f"{name}.html").render(context) for name in SECTIONS}


@cache
def load_templates() -> Environment:
    """Everything that is put into them is escaped: nodes are not trusted with HTML."""
    templates = Environment(
        loader=PackageLoader("sparkform.commands.dashboard", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals.update(
        width=WIDTH,
        node_width=NODE_WIDTH,
        node_height=NODE_HEIGHT,
        spark_width=sparkline.WIDTH,
        spark_height=sparkline.HEIGHT,
        draw_line=draw_line,
        describe_line=describe_line,
        choose_class=choose_class,
        measure_share=measure_share,
        list_remarks=wording.list_remarks,
        describe_clock=wording.describe_clock,
    )
    templates.filters.update(
        figure=wording.format_figure,
        share=wording.format_share,
        duration=wording.format_duration,
        state=wording.format_state,
        ranks=wording.format_ranks,
        memory=wording.format_memory,
        clock=wording.format_clock,
        time_of_day=format_time,
    )
    templates.tests["unread"] = lambda value: isinstance(value, Unread)
    return templates


def draw_line(samples: Sequence[FigureSample], now_s: float) -> str:
    return sparkline.build_path(samples, now_s)


def describe_line(samples: Sequence[FigureSample], unit: str) -> str:
    return sparkline.describe(samples, unit)


def choose_class(state: object) -> str:
    """good, bad or other; the state itself always stands there in letters too."""
    return "good" if state in GOOD_STATES else "bad" if state in BAD_STATES else "other"


def measure_share(used: Figure, total: Figure) -> float | None:
    """Per cent, None where one of both is not known."""
    if not isinstance(used, float) or not isinstance(total, float) or total <= 0:
        return None
    return min(FULL, used / total * FULL)


def format_time(unix_time_s: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(unix_time_s))
