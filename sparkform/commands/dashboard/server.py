"""The page over HTTP, for this machine's own browsers: read-only, from nowhere but this process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from importlib.resources import files

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from sparkform.commands.dashboard.board import Board, keep_up
from sparkform.commands.live_status import LiveRack

HOSTS = ["127.0.0.1", "localhost"]
"""A page of another site cannot read this one under a name that it lets point here."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; script-src 'self'; "
    "style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
ASSETS = {"dashboard.css": "text/css", "dashboard.js": "text/javascript"}
FAREWELL_S = 1
"""Streams never end by themselves: they are cut after so long."""


def build_application(board: Board) -> Starlette:
    async def show_page(request: Request) -> Response:
        return HTMLResponse(board.render(), headers=HEADERS)

    async def stream_changes(request: Request) -> Response:
        return StreamingResponse(board.stream(), headers=HEADERS, media_type="text/event-stream")

    return Starlette(
        routes=[
            Route("/", show_page),
            Route("/changes", stream_changes),
            *(build_asset_route(name, kind) for name, kind in ASSETS.items()),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)],
    )


def build_asset_route(name: str, kind: str) -> Route:
    text = files("sparkform.commands.dashboard").joinpath("assets", name).read_text("utf-8")
    headers: Mapping[str, str] = HEADERS

    async def show_asset(request: Request) -> Response:
        return Response(text, headers=headers, media_type=kind)

    return Route(f"/{name}", show_asset)


def build_server(board: Board) -> uvicorn.Server:
    config = uvicorn.Config(
        build_application(board),
        log_level="critical",
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=FAREWELL_S,
    )
    return uvicorn.Server(config)


async def serve(rack: LiveRack, listener: socket.socket) -> None:
    """Until Ctrl-C, or until reading the nodes fails for a reason of ours."""
    board = Board(rack.build_status())
    server = build_server(board)

    def end(task: asyncio.Task[None]) -> None:
        server.should_exit = True

    keeping = asyncio.create_task(keep_up(board, rack))
    keeping.add_done_callback(end)
    try:
        await server.serve(sockets=[listener])
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    if not keeping.cancelled():
        keeping.result()
