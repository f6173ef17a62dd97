"""What the page shows now, and who waits for the next change."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from sparkform.commands.dashboard.history import History
from sparkform.commands.dashboard.page import render_page, render_sections
from sparkform.commands.live_status import LiveRack, watch_rack
from sparkform.status.events import StatusEvent, list_events
from sparkform.status.rack_status import RackStatus

MOST_EVENTS = 100


@dataclass
class Board:
    """The newest state, rendered once for all who look."""

    status: RackStatus
    history: History = field(default_factory=History)
    events: deque[StatusEvent] = field(default_factory=lambda: deque(maxlen=MOST_EVENTS))
    sections: dict[str, str] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.show(self.status)

    def show(self, status: RackStatus) -> None:
        """The newest event stands first."""
        self.events.extendleft(list_events(self.status, status))
        self.status = status
        self.history.add(status)
        self.sections = render_sections(status, self.history, tuple(self.events))
        self.changed.set()
        self.changed = asyncio.Event()

    def render(self) -> str:
        return render_page(self.status, self.sections)

    async def stream(self) -> AsyncGenerator[str, None]:
        """Server-sent events: the sections that differ from those sent before, by id."""
        sent: dict[str, str] = {}
        while True:
            changed, sections = self.changed, self.sections
            different = {key: html for key, html in sections.items() if sent.get(key) != html}
            if different:
                yield f"data: {json.dumps(different)}\n\n"
            sent = sections
            await changed.wait()


async def keep_up(board: Board, rack: LiveRack) -> None:
    async with contextlib.aclosing(watch_rack(rack)) as statuses:
        async for status in statuses:
            board.show(status)
