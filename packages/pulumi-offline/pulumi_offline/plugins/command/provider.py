"""The engine's calls, each answered from the deciding modules and, where it says so, by a run."""

from __future__ import annotations

import asyncio
import os
import secrets
from dataclasses import dataclass, field

from google.protobuf import empty_pb2  # type: ignore[import-untyped]

from pulumi_offline.plugins.command import BANNER, RESOURCE, VERSION
from pulumi_offline.plugins.command.check import check_inputs, settle_inputs
from pulumi_offline.plugins.command.command import (
    Printed,
    build_command,
    build_state,
    find_command,
    plan_create,
    plan_update,
    read_previous_output,
    select_inputs,
)
from pulumi_offline.plugins.command.diff import find_differences
from pulumi_offline.plugins.command.retry import Patience
from pulumi_offline.plugins.command.schema import render_schema
from pulumi_offline.plugins.common.differences import build_diff_response
from pulumi_offline.plugins.common.engine_log import ResourceLog
from pulumi_offline.plugins.common.protocol import engine_pb2_grpc, provider_pb2
from pulumi_offline.plugins.common.refusal import CallContext, require_known_type
from pulumi_offline.plugins.common.stand_in import StandIn, StandInIdentity
from pulumi_offline.plugins.common.values import Properties, read_struct, write_struct

# pulumi-go-provider's mark in a provider's inputs, kept so that a state fits both plugins.
FRAMEWORK_MARK = {"__pulumi-go-provider-version": "1.2.0"}


@dataclass
class PluginSession:
    """What lasts from the plugin's start to its end."""

    engine: engine_pb2_grpc.EngineStub
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    sends_old_inputs: bool = False


class CommandProvider(StandIn):
    """`command:remote:Command` as pulumi-command 1.2.1 has it."""

    def __init__(self, session: PluginSession) -> None:
        super().__init__(session.engine, StandInIdentity(VERSION, BANNER, render_schema()))
        self.session = session

    async def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: CallContext
    ) -> provider_pb2.CheckResponse:
        inputs: Properties = {**read_struct(request.news), **FRAMEWORK_MARK}
        return provider_pb2.CheckResponse(inputs=write_struct(inputs))

    async def Configure(
        self, request: provider_pb2.ConfigureRequest, context: CallContext
    ) -> provider_pb2.ConfigureResponse:
        self.session.sends_old_inputs = request.sends_old_inputs
        await self.introduce()
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=True, acceptOutputs=True
        )

    async def Check(
        self, request: provider_pb2.CheckRequest, context: CallContext
    ) -> provider_pb2.CheckResponse:
        await require_known_type(request.urn, {RESOURCE}, context)
        inputs, failures = check_inputs(read_struct(request.news))
        return provider_pb2.CheckResponse(
            inputs=write_struct(inputs),
            failures=[
                provider_pb2.CheckFailure(property=failure.property, reason=failure.reason)
                for failure in failures
            ],
        )

    async def Diff(
        self, request: provider_pb2.DiffRequest, context: CallContext
    ) -> provider_pb2.DiffResponse:
        await require_known_type(request.urn, {RESOURCE}, context)
        state = read_struct(request.olds)
        sent = self.session.sends_old_inputs
        old = read_struct(request.old_inputs) if sent else select_inputs(state)
        ignored = {key: state[key] for key in request.ignoreChanges if key in state}
        return build_diff_response(find_differences(old, read_struct(request.news), ignored))

    async def Create(
        self, request: provider_pb2.CreateRequest, context: CallContext
    ) -> provider_pb2.CreateResponse:
        await require_known_type(request.urn, {RESOURCE}, context)
        inputs = settle_inputs(read_struct(request.properties))
        if request.preview:
            state = plan_create(inputs)
        else:
            command = find_command(inputs, "create")
            state = await self._run(request, inputs, command, Printed(), context)
        name = request.urn.rpartition("::")[2]
        return provider_pb2.CreateResponse(
            id=name + secrets.token_hex(4), properties=write_struct(state)
        )

    async def Update(
        self, request: provider_pb2.UpdateRequest, context: CallContext
    ) -> provider_pb2.UpdateResponse:
        await require_known_type(request.urn, {RESOURCE}, context)
        old = read_struct(request.olds)
        inputs = settle_inputs(read_struct(request.news))
        inputs |= {key: old[key] for key in request.ignoreChanges if key in old}
        if request.preview:
            state = plan_update(inputs, old)
        else:
            command = find_command(inputs, "update", "create")
            state = await self._run(request, inputs, command, read_previous_output(old), context)
        return provider_pb2.UpdateResponse(properties=write_struct(state))

    async def Delete(
        self, request: provider_pb2.DeleteRequest, context: CallContext
    ) -> empty_pb2.Empty:
        await require_known_type(request.urn, {RESOURCE}, context)
        state = read_struct(request.properties)
        command = find_command(state, "delete")
        await self._run(
            request, select_inputs(state), command, read_previous_output(state), context
        )
        return empty_pb2.Empty()

    async def Read(
        self, request: provider_pb2.ReadRequest, context: CallContext
    ) -> provider_pb2.ReadResponse:
        """A command has nothing to read: the state is answered as it came."""
        await require_known_type(request.urn, {RESOURCE}, context)
        return provider_pb2.ReadResponse(
            id=request.id, properties=request.properties, inputs=request.inputs
        )

    async def Cancel(self, request: empty_pb2.Empty, context: CallContext) -> empty_pb2.Empty:
        """Ends the waiting for nodes that do not answer; commands under way run to their end."""
        self.session.cancelled.set()
        return empty_pb2.Empty()

    async def _run(
        self,
        request: provider_pb2.CreateRequest
        | provider_pb2.UpdateRequest
        | provider_pb2.DeleteRequest,
        inputs: Properties,
        command: str | None,
        previous: Printed,
        context: CallContext,
    ) -> Properties:
        """The state after a run, or the same outputs as before where there is nothing to run."""
        if command is None:
            return build_state(inputs, previous)
        remote = build_command(inputs, command, previous, os.environ.get("SSH_AUTH_SOCK"))
        patience = Patience(self.session.cancelled, request.timeout or None)
        log = ResourceLog(self.session.engine, request.urn)
        from pulumi_offline.plugins.command.attempt import (
            attempt,  # asyncssh comes with the first run
        )

        printed = await attempt(remote, patience, log, context)
        return build_state(inputs, printed)
