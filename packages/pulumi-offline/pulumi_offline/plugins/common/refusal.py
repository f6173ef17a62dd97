"""Ends a call of the engine with an error."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, NoReturn, TypeAlias

import grpc  # type: ignore[import-untyped]

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


async def refuse(context: Context, code: grpc.StatusCode, text: str) -> NoReturn:
    """Ends the call: the engine shows the text."""
    await context.abort(code, text)
    raise AssertionError("abort raises")


def parse_type(urn: str) -> str:
    """The resource type that a URN names."""
    return urn.split("::")[2].rpartition("$")[2]


async def find_resource(urn: str, known: Container[str], context: Context) -> str:
    """The resource type of a URN; refuses all but the known ones."""
    kind = parse_type(urn)
    if kind not in known:
        await refuse(context, grpc.StatusCode.NOT_FOUND, f"the stand-in does not know {kind}")
    return kind
