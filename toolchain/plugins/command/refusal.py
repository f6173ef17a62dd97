"""Ends a call of the engine with an error."""

from __future__ import annotations

from typing import Any, NoReturn, TypeAlias

import grpc  # type: ignore[import-untyped]

from toolchain.plugins.command import RESOURCE

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


async def refuse(context: Context, code: grpc.StatusCode, text: str) -> NoReturn:
    """Ends the call: the engine shows the text."""
    await context.abort(code, text)
    raise AssertionError("abort raises")


async def known_resource(urn: str, context: Context) -> None:
    """Refuses every resource type but one."""
    found = urn.split("::")[2].rpartition("$")[2]
    if found != RESOURCE:
        await refuse(context, grpc.StatusCode.NOT_FOUND, f"the stand-in does not know {found}")
