"""The dashboard's own server in a thread, with states that tests give it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from sparkform.commands.dashboard.board import Board
from sparkform.commands.dashboard.server import build_server
from sparkform.status.rack_status import RackStatus


@dataclass(frozen=True)
class BoardServer:
    port: int
    board: Board
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def show(self, status: RackStatus) -> None:
        self.loop.call_soon_threadsafe(self.board.show, status)


@contextlib.contextmanager
def serve_board(status: RackStatus) -> Iterator[BoardServer]:
    board, loop = Board(status), asyncio.new_event_loop()
    server = build_server(board)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = server.serve(sockets=[listener])
        thread = threading.Thread(target=loop.run_until_complete, args=(serving,))
        thread.start()
        try:
            yield BoardServer(listener.getsockname()[1], board, loop)
        finally:
            server.should_exit = True
            thread.join(20)
            loop.close()
