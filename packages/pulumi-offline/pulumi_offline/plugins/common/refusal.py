"""Ends a call of the engine with an error."""

from __future__ import annotations

from collections.abc import Container
from typing import NoReturn, TypeAlias

import grpc  # type: ignore[import-untyped]
from google.protobuf.message import Message  # type: ignore[import-untyped]

CallContext: TypeAlias = "grpc.aio.ServicerContext[Message, Message]"


async def refuse(context: CallContext, code: grpc.StatusCode, text: str) -> NoReturn:
    """Ends the call: the engine shows the text."""
    await context.abort(code, text)
    raise AssertionError("abort raises")


def get_resource_type(urn: str) -> str:
    """The resource type that a URN names."""
    return urn.split("::")[2].rpartition("$")[2]


async def require_known_type(urn: str, known: Container[str], context: CallContext) -> str:
    """The resource type of a URN; refuses all but the known ones."""
    resource_type = get_resource_type(urn)
    if resource_type not in known:
        await refuse(
            context, grpc.StatusCode.NOT_FOUND, f"the stand-in does not support {resource_type}"
        )
    return resource_type
