"""The engine's calls, answered from the deciding modules and, where need be, by a daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import grpc  # type: ignore[import-untyped]
from google.protobuf import any_pb2, empty_pb2, struct_pb2  # type: ignore[import-untyped]

from pulumi_offline.plugins.common.differences import diff_response
from pulumi_offline.plugins.common.protocol import engine_pb2_grpc, provider_pb2, status_pb2
from pulumi_offline.plugins.common.refusal import Context, known_resource, refuse
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
from pulumi_offline.plugins.docker.check import Asker, checked, default_names
from pulumi_offline.plugins.docker.diff import deletes_first, differences
from pulumi_offline.plugins.docker.fields import Resource
from pulumi_offline.plugins.docker.other_fields import RESOURCES
from pulumi_offline.plugins.docker.plain import with_secrets
from pulumi_offline.plugins.docker.planned import planned, read_inputs
from pulumi_offline.plugins.docker.schema import package_schema
from pulumi_offline.plugins.docker.settings import decoded, go_json, problems, settings
from pulumi_offline.plugins.docker.work import Failed, PartlyMade, Thing, Work, bare

Answer = TypeVar("Answer")
# The bridge that the official plugin is made of prints errors in this form.
ERRORS = "1 error occurred:\n\t* {}\n\n"


class DockerProvider(StandIn):
    """The resource types of RESOURCES as pulumi-docker 5.2.0 has them."""

    def __init__(self, engine: engine_pb2_grpc.EngineStub) -> None:
        super().__init__(engine, Identity(VERSION, BANNER, package_schema()))
        self.work: Work | None = None

    async def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: Context
    ) -> provider_pb2.CheckResponse:
        news = read_struct(request.news)
        found = [
            provider_pb2.CheckFailure(property="", reason=reason)
            for reason in problems(plain_config(news))
        ]
        return provider_pb2.CheckResponse(inputs=write_struct(normal_config(news)), failures=found)

    async def Configure(
        self, request: provider_pb2.ConfigureRequest, context: Context
    ) -> provider_pb2.ConfigureResponse:
        await self.introduce()
        config = plain_config(read_struct(request.args))
        for problem in problems(config):
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, problem)
        if isinstance(config.get("host"), str):
            self.work = Work.at(settings(config))
        return provider_pb2.ConfigureResponse(
            supportsPreview=True, supports_autonaming_configuration=False
        )

    async def Check(
        self, request: provider_pb2.CheckRequest, context: Context
    ) -> provider_pb2.CheckResponse:
        resource = await self._resource(request.urn, context)
        asker = Asker(request.urn.rpartition("::")[2], request.randomSeed)
        olds = read_struct(request.olds)
        inputs, found = checked(resource, properties(request.news), olds, asker)
        return provider_pb2.CheckResponse(
            inputs=write_struct(with_secrets(resource, inputs)),
            failures=[provider_pb2.CheckFailure(property="", reason=item) for item in found],
        )

    async def Diff(
        self, request: provider_pb2.DiffRequest, context: Context
    ) -> provider_pb2.DiffResponse:
        resource = await self._resource(request.urn, context)
        inputs = properties(request.news)
        ignored = frozenset(
            path.partition(".")[0].partition("[")[0] for path in request.ignoreChanges
        )
        found = differences(resource, bare(read_struct(request.olds)), inputs, ignored)
        response = diff_response(found)
        response.deleteBeforeReplace = deletes_first(resource, inputs, found)
        return response

    async def Create(
        self, request: provider_pb2.CreateRequest, context: Context
    ) -> provider_pb2.CreateResponse:
        resource = await self._resource(request.urn, context)
        inputs = properties(request.properties)
        if request.preview:
            state = planned(resource, bare(inputs), None)
            return provider_pb2.CreateResponse(properties=told(resource, state))
        work = await self._work(context)
        try:
            thing = await asyncio.to_thread(work.create, resource, inputs)
        except PartlyMade as error:
            await self._refuse_partly_made(resource, request, error, context)
        except Failed as error:
            await refuse(context, grpc.StatusCode.UNKNOWN, ERRORS.format(error))
        return provider_pb2.CreateResponse(id=thing.id, properties=told(resource, thing.state))

    async def Update(
        self, request: provider_pb2.UpdateRequest, context: Context
    ) -> provider_pb2.UpdateResponse:
        resource = await self._resource(request.urn, context)
        before = bare(read_struct(request.olds))
        inputs = properties(request.news)
        inputs |= {key: before[key] for key in request.ignoreChanges if key in before}
        if request.preview:
            state = planned(resource, bare(inputs), before)
            return provider_pb2.UpdateResponse(properties=told(resource, state))
        work = await self._work(context)
        thing = Thing(request.id, before)
        state = await self._done(
            lambda: work.update(resource, thing, inputs), f"updating {request.urn}", context
        )
        return provider_pb2.UpdateResponse(properties=told(resource, state))

    async def Read(
        self, request: provider_pb2.ReadRequest, context: Context
    ) -> provider_pb2.ReadResponse:
        """For refresh; an import has no state to start from."""
        resource = await self._resource(request.urn, context)
        before = bare(read_struct(request.properties))
        if not before:
            await refuse(
                context, grpc.StatusCode.UNIMPLEMENTED, "the stand-in does not know imports"
            )
        work = await self._work(context)
        found = await self._done(
            lambda: work.read(resource, request.id, before), f"refreshing {request.urn}", context
        )
        if found is None:
            return provider_pb2.ReadResponse()
        inputs = properties(request.inputs)
        kept = read_inputs(inputs, found.state, default_names(inputs))
        return provider_pb2.ReadResponse(
            id=found.id, properties=told(resource, found.state), inputs=told(resource, kept)
        )

    async def Delete(
        self, request: provider_pb2.DeleteRequest, context: Context
    ) -> empty_pb2.Empty:
        resource = await self._resource(request.urn, context)
        work = await self._work(context)
        thing = Thing(request.id, bare(read_struct(request.properties)))
        await self._done(lambda: work.delete(resource, thing), f"deleting {request.urn}", context)
        return empty_pb2.Empty()

    async def Cancel(self, request: empty_pb2.Empty, context: Context) -> empty_pb2.Empty:
        """What is under way runs to its end, as with the official plugin."""
        return empty_pb2.Empty()

    def close(self) -> None:
        """Ends what is still under way."""
        if self.work:
            self.work.close()

    async def _resource(self, urn: str, context: Context) -> Resource:
        return RESOURCES[await known_resource(urn, RESOURCES, context)]

    async def _work(self, context: Context) -> Work:
        if self.work is None:
            await refuse(
                context, grpc.StatusCode.FAILED_PRECONDITION, "the provider's host is not known yet"
            )
        return self.work

    async def _done(self, call: Callable[[], Answer], doing: str, context: Context) -> Answer:
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
                properties=told(resource, error.thing.state),
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
    shown = reveal(read_struct(struct))
    return shown if isinstance(shown, dict) else {}


def told(resource: Resource, state: Properties) -> struct_pb2.Struct:
    return write_struct(with_secrets(resource, state))


def normal_config(config: Properties) -> Properties:
    """A provider's inputs as the official plugin keeps them: its JSON, and logins secret."""
    return {key: normal(key, item) for key, item in config.items()}


def normal(key: str, value: Property) -> Property:
    match value:
        case Secret(element):
            return make_secret(normal(key, element))
        case str() if key == "sshOpts":
            return go_json(decoded(value))
        case str() if key == "registryAuth":
            return Secret(go_json(decoded(value)))
        case Unknown() if key == "registryAuth":
            return Unknown(secret=True)
        case _:
            return value


def plain_config(config: Properties) -> dict[str, Any]:
    """A provider's configuration without marks; what is not known yet stays an object."""
    return {key: reveal(item) for key, item in config.items()}
