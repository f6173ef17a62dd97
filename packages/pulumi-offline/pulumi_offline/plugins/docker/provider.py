"""The engine's calls, answered from the deciding modules and, where need be, by a daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import grpc  # type: ignore[import-untyped]
from google.protobuf import any_pb2, empty_pb2, struct_pb2  # type: ignore[import-untyped]

from pulumi_offline.plugins.common.differences import diff_response
from pulumi_offline.plugins.common.protocol import engine_pb2_grpc, provider_pb2, status_pb2
from pulumi_offline.plugins.common.refusal import Context, find_resource, refuse
from pulumi_offline.plugins.common.stand_in import Identity, StandIn
from pulumi_offline.plugins.common.values import (
    Properties,
    Property,
    Secret,
    Unknown,
    make_secret,
    read_struct,
    reveal,
    write_struct,
)
from pulumi_offline.plugins.docker import BANNER, VERSION
from pulumi_offline.plugins.docker.check import Asker, check_resource, list_default_names
from pulumi_offline.plugins.docker.diff import list_differences, must_delete_first
from pulumi_offline.plugins.docker.fields import Resource
from pulumi_offline.plugins.docker.other_fields import RESOURCES
from pulumi_offline.plugins.docker.plain import mark_secrets
from pulumi_offline.plugins.docker.planned import plan_state, read_inputs
from pulumi_offline.plugins.docker.schema import build_package_schema
from pulumi_offline.plugins.docker.settings import (
    build_settings,
    decode_item,
    encode_go_json,
    list_problems,
)
from pulumi_offline.plugins.docker.work import Failed, PartlyMade, Thing, Work, strip_inputs

Answer = TypeVar("Answer")
# The bridge that the official plugin is made of prints errors in this form.
ERRORS = "1 error occurred:\n\t* {}\n\n"


class DockerProvider(StandIn):
    """The resource types of RESOURCES as pulumi-docker 5.2.0 has them."""

    def __init__(self, engine: engine_pb2_grpc.EngineStub) -> None:
        super().__init__(engine, Identity(VERSION, BANNER, build_package_schema()))
        self.work: Work | None = None

    async def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: Context
    ) -> provider_pb2.CheckResponse:
        news = read_struct(request.news)
        document = [
            provider_pb2.CheckFailure(property="", reason=reason)
            for reason in list_problems(read_plain_config(news))
        ]
        return provider_pb2.CheckResponse(
            inputs=write_struct(normalize_config(news)), failures=document
        )

    async def Configure(
        self, request: provider_pb2.ConfigureRequest, context: Context
    ) -> provider_pb2.ConfigureResponse:
        await self.print_banner()
        config = read_plain_config(read_struct(request.args))
        for problem in list_problems(config):
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, problem)
        if isinstance(config.get("host"), str):
            self.work = Work.open(build_settings(config))
        return provider_pb2.ConfigureResponse(
            supportsPreview=True, supports_autonaming_configuration=False
        )

    async def Check(
        self, request: provider_pb2.CheckRequest, context: Context
    ) -> provider_pb2.CheckResponse:
        resource = await self._find_resource(request.urn, context)
        asker = Asker(request.urn.rpartition("::")[2], request.randomSeed)
        olds = read_struct(request.olds)
        inputs, document = check_resource(resource, properties(request.news), olds, asker)
        return provider_pb2.CheckResponse(
            inputs=write_struct(mark_secrets(resource, inputs)),
            failures=[provider_pb2.CheckFailure(property="", reason=item) for item in document],
        )

    async def Diff(
        self, request: provider_pb2.DiffRequest, context: Context
    ) -> provider_pb2.DiffResponse:
        resource = await self._find_resource(request.urn, context)
        inputs = properties(request.news)
        ignored = frozenset(
            path.partition(".")[0].partition("[")[0] for path in request.ignoreChanges
        )
        document = list_differences(
            resource, strip_inputs(read_struct(request.olds)), inputs, ignored
        )
        response = diff_response(document)
        response.deleteBeforeReplace = must_delete_first(resource, inputs, document)
        return response

    async def Create(
        self, request: provider_pb2.CreateRequest, context: Context
    ) -> provider_pb2.CreateResponse:
        resource = await self._find_resource(request.urn, context)
        inputs = properties(request.properties)
        if request.preview:
            state = plan_state(resource, strip_inputs(inputs), None)
            return provider_pb2.CreateResponse(properties=build_struct(resource, state))
        work = await self._start_work(context)
        try:
            remote_object = await asyncio.to_thread(work.create, resource, inputs)
        except PartlyMade as error:
            await self._refuse_partly_made(resource, request, error, context)
        except Failed as error:
            await refuse(context, grpc.StatusCode.UNKNOWN, ERRORS.format(error))
        return provider_pb2.CreateResponse(
            id=remote_object.id, properties=build_struct(resource, remote_object.state)
        )

    async def Update(
        self, request: provider_pb2.UpdateRequest, context: Context
    ) -> provider_pb2.UpdateResponse:
        resource = await self._find_resource(request.urn, context)
        before = strip_inputs(read_struct(request.olds))
        inputs = properties(request.news)
        inputs |= {key: before[key] for key in request.ignoreChanges if key in before}
        if request.preview:
            state = plan_state(resource, strip_inputs(inputs), before)
            return provider_pb2.UpdateResponse(properties=build_struct(resource, state))
        work = await self._start_work(context)
        remote_object = Thing(request.id, before)
        state = await self._finish_call(
            lambda: work.update(resource, remote_object, inputs), f"updating {request.urn}", context
        )
        return provider_pb2.UpdateResponse(properties=build_struct(resource, state))

    async def Read(
        self, request: provider_pb2.ReadRequest, context: Context
    ) -> provider_pb2.ReadResponse:
        """For refresh; an import has no state to start from."""
        resource = await self._find_resource(request.urn, context)
        before = strip_inputs(read_struct(request.properties))
        if not before:
            await refuse(
                context, grpc.StatusCode.UNIMPLEMENTED, "the stand-in does not know imports"
            )
        work = await self._start_work(context)
        document = await self._finish_call(
            lambda: work.read(resource, request.id, before), f"refreshing {request.urn}", context
        )
        if document is None:
            return provider_pb2.ReadResponse()
        inputs = properties(request.inputs)
        remaining = read_inputs(inputs, document.state, list_default_names(inputs))
        return provider_pb2.ReadResponse(
            id=document.id,
            properties=build_struct(resource, document.state),
            inputs=build_struct(resource, remaining),
        )

    async def Delete(
        self, request: provider_pb2.DeleteRequest, context: Context
    ) -> empty_pb2.Empty:
        resource = await self._find_resource(request.urn, context)
        work = await self._start_work(context)
        remote_object = Thing(request.id, strip_inputs(read_struct(request.properties)))
        await self._finish_call(
            lambda: work.delete(resource, remote_object), f"deleting {request.urn}", context
        )
        return empty_pb2.Empty()

    async def Cancel(self, request: empty_pb2.Empty, context: Context) -> empty_pb2.Empty:
        """What is under way runs to its end, as with the official plugin."""
        return empty_pb2.Empty()

    def close(self) -> None:
        """Ends what is still under way."""
        if self.work:
            self.work.close()

    async def _find_resource(self, urn: str, context: Context) -> Resource:
        return RESOURCES[await find_resource(urn, RESOURCES, context)]

    async def _start_work(self, context: Context) -> Work:
        if self.work is None:
            await refuse(
                context, grpc.StatusCode.FAILED_PRECONDITION, "the provider's host is not known yet"
            )
        return self.work

    async def _finish_call(
        self, call: Callable[[], Answer], doing: str, context: Context
    ) -> Answer:
        """What a call at the daemon returned; its failure ends the engine's call."""
        try:
            return await asyncio.to_thread(call)
        except Failed as error:
            await refuse(context, grpc.StatusCode.UNKNOWN, f"{doing}: {ERRORS.format(error)}")

    async def _refuse_partly_made(
        self,
        resource: Resource,
        request: provider_pb2.CreateRequest,
        error: PartlyMade,
        context: Context,
    ) -> NoReturn:
        """Ends a create so that the engine keeps what was made."""
        text = f"creating {request.urn}: {ERRORS.format(error)}"
        detail = any_pb2.Any()
        detail.Pack(
            provider_pb2.ErrorResourceInitFailed(
                id=error.thing.id,
                properties=build_struct(resource, error.thing.state),
                reasons=[ERRORS.format(error)],
                inputs=request.properties,
            )
        )
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=text)
        status.details.append(detail)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        await refuse(context, grpc.StatusCode.UNKNOWN, text)


def properties(struct: struct_pb2.Struct) -> Properties:
    """Inputs without marks of secrets: the engine sends none, but takes some."""
    revealed = reveal(read_struct(struct))
    return revealed if isinstance(revealed, dict) else {}


def build_struct(resource: Resource, state: Properties) -> struct_pb2.Struct:
    return write_struct(mark_secrets(resource, state))


def normalize_config(config: Properties) -> Properties:
    """A provider's inputs as the official plugin keeps them: its JSON, and logins secret."""
    return {key: normalize_value(key, item) for key, item in config.items()}


def normalize_value(key: str, value: Property) -> Property:
    match value:
        case Secret(element):
            return make_secret(normalize_value(key, element))
        case str() if key == "sshOpts":
            return encode_go_json(decode_item(value))
        case str() if key == "registryAuth":
            return Secret(encode_go_json(decode_item(value)))
        case Unknown() if key == "registryAuth":
            return Unknown(secret=True)
        case _:
            return value


def read_plain_config(config: Properties) -> dict[str, Any]:
    """A provider's configuration without marks; what is not known yet stays an object."""
    return {key: reveal(item) for key, item in config.items()}
