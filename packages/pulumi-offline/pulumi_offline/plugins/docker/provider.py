"""The engine's calls, answered from the deciding modules and, where need be, by a daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn, TypeVar

import grpc  # type: ignore[import-untyped]
from google.protobuf import any_pb2, empty_pb2, struct_pb2  # type: ignore[import-untyped]

from pulumi_offline.plugins.common.differences import build_diff_response
from pulumi_offline.plugins.common.protocol import engine_pb2_grpc, provider_pb2, status_pb2
from pulumi_offline.plugins.common.refusal import CallContext, refuse, require_known_type
from pulumi_offline.plugins.common.stand_in import StandIn, StandInIdentity
from pulumi_offline.plugins.common.values import Properties, read_struct, reveal, write_struct
from pulumi_offline.plugins.docker import BANNER, VERSION
from pulumi_offline.plugins.docker.check import check_inputs
from pulumi_offline.plugins.docker.diff import find_differences
from pulumi_offline.plugins.docker.fields import ResourceType
from pulumi_offline.plugins.docker.operations import (
    DockerOperations,
    OperationError,
    PartialOperationError,
    StoredResource,
)
from pulumi_offline.plugins.docker.plain import mark_secrets, strip_marks
from pulumi_offline.plugins.docker.resource_types import RESOURCES
from pulumi_offline.plugins.docker.schema import render_schema
from pulumi_offline.plugins.docker.settings import (
    find_config_problems,
    normalize_config,
    parse_settings,
    reveal_config,
)
from pulumi_offline.plugins.docker.state_plan import plan_state, refresh_inputs

Result = TypeVar("Result")
# The bridge that the official plugin is made of prints errors in this form.
ERRORS = "1 error occurred:\n\t* {}\n\n"


class DockerProvider(StandIn):
    """The resource types of RESOURCES as pulumi-docker 5.2.0 has them."""

    def __init__(self, engine: engine_pb2_grpc.EngineStub) -> None:
        super().__init__(engine, StandInIdentity(VERSION, BANNER, render_schema()))
        self.operations: DockerOperations | None = None

    async def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: CallContext
    ) -> provider_pb2.CheckResponse:
        config = read_struct(request.news)
        return provider_pb2.CheckResponse(
            inputs=write_struct(normalize_config(config)),
            failures=[
                provider_pb2.CheckFailure(property="", reason=reason)
                for reason in find_config_problems(reveal_config(config))
            ],
        )

    async def Configure(
        self, request: provider_pb2.ConfigureRequest, context: CallContext
    ) -> provider_pb2.ConfigureResponse:
        await self.introduce()
        config = reveal_config(read_struct(request.args))
        for problem in find_config_problems(config):
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, problem)
        if isinstance(config.get("host"), str):
            self.operations = DockerOperations.build(parse_settings(config))
        return provider_pb2.ConfigureResponse(
            supportsPreview=True, supports_autonaming_configuration=False
        )

    async def Check(
        self, request: provider_pb2.CheckRequest, context: CallContext
    ) -> provider_pb2.CheckResponse:
        resource_type = await self._get_type(request.urn, context)
        name = request.urn.rpartition("::")[2]
        inputs, reasons = check_inputs(resource_type, read_properties(request.news), name)
        return provider_pb2.CheckResponse(
            inputs=write_properties(resource_type, inputs),
            failures=[provider_pb2.CheckFailure(property="", reason=reason) for reason in reasons],
        )

    async def Diff(
        self, request: provider_pb2.DiffRequest, context: CallContext
    ) -> provider_pb2.DiffResponse:
        resource_type = await self._get_type(request.urn, context)
        ignored = frozenset(
            path.partition(".")[0].partition("[")[0] for path in request.ignoreChanges
        )
        state = strip_marks(read_struct(request.olds))
        inputs = read_properties(request.news)
        differences = find_differences(resource_type, state, inputs, ignored)
        response = build_diff_response(differences)
        # Two of one name cannot stand side by side.
        response.deleteBeforeReplace = any(difference.replaces for difference in differences)
        return response

    async def Create(
        self, request: provider_pb2.CreateRequest, context: CallContext
    ) -> provider_pb2.CreateResponse:
        resource_type = await self._get_type(request.urn, context)
        inputs = read_properties(request.properties)
        if request.preview:
            state = plan_state(resource_type, strip_marks(inputs), None)
            return provider_pb2.CreateResponse(properties=write_properties(resource_type, state))
        operations = await self._get_operations(context)
        try:
            resource = await asyncio.to_thread(operations.create, resource_type, inputs)
        except PartialOperationError as error:
            await self._refuse_partial_create(resource_type, request, error, context)
        except OperationError as error:
            await refuse(context, grpc.StatusCode.UNKNOWN, ERRORS.format(error))
        return provider_pb2.CreateResponse(
            id=resource.id, properties=write_properties(resource_type, resource.state)
        )

    async def Update(
        self, request: provider_pb2.UpdateRequest, context: CallContext
    ) -> provider_pb2.UpdateResponse:
        resource_type = await self._get_type(request.urn, context)
        before = strip_marks(read_struct(request.olds))
        inputs = read_properties(request.news)
        inputs |= {key: before[key] for key in request.ignoreChanges if key in before}
        if request.preview:
            state = plan_state(resource_type, strip_marks(inputs), before)
            return provider_pb2.UpdateResponse(properties=write_properties(resource_type, state))
        operations = await self._get_operations(context)
        resource = StoredResource(request.id, before)
        state = await self._call_daemon(
            lambda: operations.update(resource_type, resource, inputs),
            f"updating {request.urn}",
            context,
        )
        return provider_pb2.UpdateResponse(properties=write_properties(resource_type, state))

    async def Read(
        self, request: provider_pb2.ReadRequest, context: CallContext
    ) -> provider_pb2.ReadResponse:
        """For refresh; an import has no state to start from."""
        resource_type = await self._get_type(request.urn, context)
        before = strip_marks(read_struct(request.properties))
        if not before:
            await refuse(
                context, grpc.StatusCode.UNIMPLEMENTED, "the stand-in does not support import"
            )
        operations = await self._get_operations(context)
        resource = await self._call_daemon(
            lambda: operations.read(resource_type, request.id, before),
            f"refreshing {request.urn}",
            context,
        )
        if resource is None:
            return provider_pb2.ReadResponse()
        inputs = refresh_inputs(read_properties(request.inputs), resource.state)
        return provider_pb2.ReadResponse(
            id=resource.id,
            properties=write_properties(resource_type, resource.state),
            inputs=write_properties(resource_type, inputs),
        )

    async def Delete(
        self, request: provider_pb2.DeleteRequest, context: CallContext
    ) -> empty_pb2.Empty:
        resource_type = await self._get_type(request.urn, context)
        operations = await self._get_operations(context)
        resource = StoredResource(request.id, strip_marks(read_struct(request.properties)))
        await self._call_daemon(
            lambda: operations.delete(resource_type, resource), f"deleting {request.urn}", context
        )
        return empty_pb2.Empty()

    async def Cancel(self, request: empty_pb2.Empty, context: CallContext) -> empty_pb2.Empty:
        """What is under way runs to its end, as with the official plugin."""
        return empty_pb2.Empty()

    def close(self) -> None:
        """Ends what is still under way."""
        if self.operations:
            self.operations.close()

    async def _get_type(self, urn: str, context: CallContext) -> ResourceType:
        return RESOURCES[await require_known_type(urn, RESOURCES, context)]

    async def _get_operations(self, context: CallContext) -> DockerOperations:
        if self.operations is None:
            await refuse(
                context, grpc.StatusCode.FAILED_PRECONDITION, "the provider's host is not known yet"
            )
        return self.operations

    async def _call_daemon(
        self, call: Callable[[], Result], action: str, context: CallContext
    ) -> Result:
        """What a call at the daemon returned; its failure ends the engine's call."""
        try:
            return await asyncio.to_thread(call)
        except OperationError as error:
            await refuse(context, grpc.StatusCode.UNKNOWN, f"{action}: {ERRORS.format(error)}")

    async def _refuse_partial_create(
        self,
        resource_type: ResourceType,
        request: provider_pb2.CreateRequest,
        error: PartialOperationError,
        context: CallContext,
    ) -> NoReturn:
        """Ends a create so that the engine keeps the resource that exists by now."""
        text = f"creating {request.urn}: {ERRORS.format(error)}"
        detail = any_pb2.Any()
        detail.Pack(
            provider_pb2.ErrorResourceInitFailed(
                id=error.resource.id,
                properties=write_properties(resource_type, error.resource.state),
                reasons=[ERRORS.format(error)],
                inputs=request.properties,
            )
        )
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=text)
        status.details.append(detail)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        await refuse(context, grpc.StatusCode.UNKNOWN, text)


def read_properties(struct: struct_pb2.Struct) -> Properties:
    """Inputs without marks of secrets: the engine sends none, but takes some."""
    revealed = reveal(read_struct(struct))
    return revealed if isinstance(revealed, dict) else {}


def write_properties(resource_type: ResourceType, state: Properties) -> struct_pb2.Struct:
    return write_struct(mark_secrets(resource_type, state))
