"""What every stand-in answers in the same way: who it is, and that it does not support a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from google.protobuf.message import Message  # type: ignore[import-untyped]

from pulumi_offline.plugins.common.engine_log import ResourceLog
from pulumi_offline.plugins.common.protocol import (
    engine_pb2_grpc,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
)
from pulumi_offline.plugins.common.refusal import CallContext, refuse


@dataclass(frozen=True)
class StandInIdentity:
    """What a stand-in states about itself: the official version, its line in a run, its schema."""

    version: str
    banner: str
    schema: str


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """A plugin that names itself once a run and refuses by name what it does not support."""

    def __init__(self, engine: engine_pb2_grpc.EngineStub, identity: StandInIdentity) -> None:
        self.identity = identity
        self.log = ResourceLog(engine)
        self.introduced = False

    async def introduce(self) -> None:
        """Tells the user once that this is a stand-in."""
        if not self.introduced:
            self.introduced = True
            await self.log.write("INFO", self.identity.banner)

    async def GetPluginInfo(
        self, request: empty_pb2.Empty, context: CallContext
    ) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self.identity.version)

    async def GetSchema(
        self, request: provider_pb2.GetSchemaRequest, context: CallContext
    ) -> provider_pb2.GetSchemaResponse:
        return provider_pb2.GetSchemaResponse(schema=self.identity.schema)

    async def _refuse_call(self, request: Message, context: CallContext) -> NoReturn:
        call = type(request).__name__.removesuffix("Request")
        await refuse(
            context, grpc.StatusCode.UNIMPLEMENTED, f"the stand-in does not support {call}"
        )

    # Of these the official plugins know at most Attach (for debuggers), Invoke and GetMapping.
    Handshake = Parameterize = DiffConfig = GetMapping = GetMappings = _refuse_call
    Invoke = Call = Construct = Attach = _refuse_call
