"""The state of a rack as text that fits 80 columns. Pure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from node.readings.measure import Unread
from sparkform.commands.lazy import import_lazily
from sparkform.status.events import BAD_STATES, GOOD_STATES
from sparkform.status.rack_status import NodeStatus, RackStatus, list_reasons
from sparkform.status.wording import (
    ABSENT,
    UNKNOWN,
    describe_clock,
    format_clock,
    format_duration,
    format_figure,
    format_memory,
    format_node_links,
    format_ranks,
    format_share,
    format_state,
    list_remarks,
)

if TYPE_CHECKING:
    from rich import console, table, text
else:
    console = import_lazily("rich.console")
    table = import_lazily("rich.table")
    text = import_lazily("rich.text")

BAR_CELLS = 12
SERVICE_COLUMNS = (
    *("service", "state", "for", "ranks", "restarts", "running", "waiting", "tok/s", "cache"),
)
NODE_COLUMNS = ("node", "", "memory", "GPU", "power", "temp", "clock", "link")
TEXT_COLUMNS = ("service", "state", "node", "", "link")


def build_screen(status: RackStatus) -> console.Group:
    parts: list[console.RenderableType] = [build_heading(status)]
    if status.services:
        parts += [text.Text(), build_services(status)]
    parts += [text.Text(f"  {remark}", "yellow") for remark in list_all_remarks(status)]
    parts += [text.Text(), build_nodes(status)]
    parts += [text.Text(f"? {reason}", "yellow") for reason in list_reasons(status)]
    return console.Group(*parts)


def build_heading(status: RackStatus) -> text.Text:
    present = [node for node in status.nodes if not node.is_away]
    answering = sum(node.contact == "answers" for node in present)
    serving = sum(service.is_serving for service in status.services)
    clock = time.strftime("%H:%M:%S", time.localtime(status.unix_time_s))
    counts = f"{serving} of {len(status.services)} services serve, " if status.services else ""
    counts += f"{answering} of {len(present)} nodes answer"
    return text.Text.assemble((status.stack, "bold"), f"  {counts}  {clock}")


def build_services(status: RackStatus) -> table.Table:
    rows = create_table(SERVICE_COLUMNS)
    for service in status.services:
        rows.add_row(
            service.name,
            text.Text(format_state(service.state), choose_style(service.state)),
            format_duration(service.age_s),
            format_ranks(service),
            format_figure(service.restarts),
            format_figure(service.requests_running),
            format_figure(service.requests_waiting),
            format_figure(service.tokens_per_s, digits=1),
            format_share(service.cache_use),
        )
    return rows


def list_all_remarks(status: RackStatus) -> list[str]:
    services = [
        f"{service.name}: {remark}"
        for service in status.services
        for remark in list_remarks(service, status.unix_time_s)
    ]
    clocks = ((node.name, describe_clock(node)) for node in status.nodes)
    return [*services, *(f"{name}: {held}" for name, held in clocks if held)]


def build_nodes(status: RackStatus) -> table.Table:
    rows = create_table(NODE_COLUMNS)
    for node in status.nodes:
        rows.add_row(node.name, *list_node_cells(node, status))
    return rows


def list_node_cells(node: NodeStatus, status: RackStatus) -> list[str | text.Text]:
    if node.is_away:
        return [text.Text("away", "dim")]
    link = format_node_links(status, node)
    return [
        build_bar(node),
        format_memory(node),
        format_figure(node.gpu_use_percent, "%"),
        format_figure(node.gpu_power_w, "W"),
        format_figure(node.gpu_temperature_c, "°C"),
        format_clock(node),
        text.Text(link, choose_style(link.split()[0])),
    ]


def build_bar(node: NodeStatus) -> text.Text:
    """
    A share of the memory that is in use.
    """
    used, total = node.memory_used_gib, node.memory_total_gib
    if not isinstance(used, float) or not isinstance(total, float) or total <= 0:
        return text.Text(UNKNOWN if isinstance(total, Unread) else ABSENT)
    filled = round(min(1.0, used / total) * BAR_CELLS)
    return text.Text.assemble(("█" * filled, "cyan"), ("░" * (BAR_CELLS - filled), "dim"))


def create_table(columns: tuple[str, ...]) -> table.Table:
    """Where the screen is narrow, names are folded; figures are not."""
    new_table = table.Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, column in enumerate(columns):
        new_table.add_column(
            column,
            justify="left" if column in TEXT_COLUMNS else "right",
            no_wrap=number > 0,
            overflow="fold",
        )
    return new_table


def choose_style(state: str | Unread) -> str:
    if state in GOOD_STATES:
        return "green"
    return "bold red" if state in BAD_STATES else "yellow"
