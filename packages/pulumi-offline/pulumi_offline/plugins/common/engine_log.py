"""Lines to the engine's display, in order, about one resource or about the whole run."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

import grpc  # type: ignore[import-untyped]

from pulumi_offline.plugins.common.protocol import engine_pb2, engine_pb2_grpc

Severity = Literal["INFO", "WARNING", "ERROR"]


@dataclass(frozen=True)
class ResourceLog:
    """Where lines about one resource go; an empty urn stands for the stack."""

    engine: engine_pb2_grpc.EngineStub
    urn: str = ""

    async def show_status(self, message: str) -> None:
        """Shows a line while the resource is at work; it is gone from the final display."""
        await self._send("INFO", message, ephemeral=True)

    async def write(self, severity: Severity, message: str) -> None:
        """Shows a line that stays."""
        await self._send(severity, message, ephemeral=False)

    async def _send(self, severity: Severity, message: str, *, ephemeral: bool) -> None:
        request = engine_pb2.LogRequest(
            severity=engine_pb2.LogSeverity.Value(severity),
            message=message,
            urn=self.urn,
            ephemeral=ephemeral,
        )
        try:
            await self.engine.Log(request)
        except grpc.RpcError:
            # The engine may be gone or going; a lost display line must not fail a command.
            print("the engine accepts no more log lines", file=sys.stderr)
