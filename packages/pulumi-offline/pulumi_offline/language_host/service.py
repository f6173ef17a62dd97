"""The RPCs of a Pulumi language host."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]

from pulumi_offline.language_host import plugins
from pulumi_offline.language_host.about import describe_interpreter
from pulumi_offline.language_host.children import Child, Children, forward
from pulumi_offline.language_host.environment import Interpreter, find_interpreter
from pulumi_offline.language_host.install import install
from pulumi_offline.language_host.options import RefusedError, RuntimeOptions, parse_options
from pulumi_offline.language_host.packages import (
    list_installed,
    list_required_plugins,
    list_top_level,
)
from pulumi_offline.language_host.policy_proxy import PolicyProxy, build_policy_variables
from pulumi_offline.language_host.program import (
    HostSettings,
    build_program_arguments,
    build_program_variables,
    build_run_response,
)
from pulumi_offline.language_host.protocol import language_pb2, language_pb2_grpc, plugin_pb2

# As long as the official host waits between an interrupt and a kill.
CANCEL_GRACE_S = 5.0
DRAIN_S = 5.0


def read_options(info: language_pb2.ProgramInfo) -> RuntimeOptions:
    return parse_options(Path(info.root_directory), MessageToDict(info.options))


@contextlib.contextmanager
def translate_refusals(context: grpc.ServicerContext) -> Iterator[None]:
    """Turn what we refuse into the error that the user reads."""
    try:
        yield
    except RefusedError as error:
        context.abort(grpc.StatusCode.UNKNOWN, str(error))


def build_refusal(method: str) -> Callable[[Any, Any, grpc.ServicerContext], Any]:
    def answer(_self: object, _request: object, context: grpc.ServicerContext) -> None:
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            f"this clone's language host does not support {method}; "
            "an official Pulumi on PATH does",
        )

    return answer


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Serves one engine: its program, its policy packs and its plugins written in Python."""

    def __init__(self, settings: HostSettings, version: str) -> None:
        self._settings = settings
        self._version = version
        self._programs = Children()
        self._plugins = Children()

    def stop(self, grace_s: float) -> None:
        """End everything that was started, within about `grace_s` seconds."""
        self._programs.stop(grace_s)
        self._plugins.stop(grace_s=0)

    def Handshake(
        self, request: language_pb2.LanguageHandshakeRequest, context: grpc.ServicerContext
    ) -> language_pb2.LanguageHandshakeResponse:
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(
        self, request: empty_pb2.Empty, context: grpc.ServicerContext
    ) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self._version)

    def GetRequiredPackages(
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        with translate_refusals(context):
            required = list_required_plugins(
                find_interpreter(read_options(request.info)).list_site_packages()
            )
        packages = [
            plugin_pb2.PackageDependency(
                name=plugin.name, kind="resource", version=plugin.version, server=plugin.server
            )
            for plugin in required
        ]
        return language_pb2.GetRequiredPackagesResponse(packages=packages)

    def GetProgramDependencies(
        self, request: language_pb2.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetProgramDependenciesResponse:
        with translate_refusals(context):
            packages = list_installed(
                find_interpreter(read_options(request.info)).list_site_packages()
            )
        listed = packages if request.transitiveDependencies else list_top_level(packages)
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=package.name, version=package.version)
                for package in listed
            ]
        )

    def About(
        self, request: language_pb2.AboutRequest, context: grpc.ServicerContext
    ) -> language_pb2.AboutResponse:
        with translate_refusals(context):
            return describe_interpreter(find_interpreter(read_options(request.info)))

    def Template(
        self, request: language_pb2.TemplateRequest, context: grpc.ServicerContext
    ) -> language_pb2.TemplateResponse:
        # A template of the pip toolchain is complete as it is, in the official host too.
        return language_pb2.TemplateResponse()

    def InstallDependencies(
        self, request: language_pb2.InstallDependenciesRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        with translate_refusals(context):
            yield from install(read_options(request.info), Path(request.info.program_directory))

    def Run(
        self, request: language_pb2.RunRequest, context: grpc.ServicerContext
    ) -> language_pb2.RunResponse:
        with translate_refusals(context):
            refuse_debugger(attach=request.attach_debugger)
            child = self._start_program(request, find_interpreter(read_options(request.info)))
        context.add_callback(child.interrupt)
        streams = [forward(child.stdout, 1, child), forward(child.stderr, 2, child)]
        code = self._programs.finish(child)
        for stream in streams:
            stream.join(timeout=DRAIN_S)
        return build_run_response(code, interrupted=child.interrupted)

    def RunPlugin(
        self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[plugins.PluginOutput]:
        with translate_refusals(context):
            refuse_debugger(attach=request.attach_debugger)
            python = find_interpreter(read_options(request.info))
            arguments = plugins.build_plugin_arguments(request, python)
        variables = plugins.build_plugin_variables(request, python)
        if request.kind == plugins.POLICY_PACK:
            yield from self._run_policy_pack(request, context, arguments, variables)
        else:
            child = self._plugins.start(arguments, variables, request.pwd)
            yield from self._stream(child, context)

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        # Policy packs run on: the engine still asks them about what it has begun.
        self._programs.interrupt()
        killer = threading.Timer(CANCEL_GRACE_S, self._programs.kill)
        killer.daemon = True
        killer.start()
        return empty_pb2.Empty()

    def _start_program(self, request: language_pb2.RunRequest, python: Interpreter) -> Child:
        variables = build_program_variables(request.config, request.configSecretKeys)
        return self._programs.start(
            [python.executable, *build_program_arguments(request, self._settings)],
            {**python.build_variables(os.environ), **variables},
            request.info.program_directory,
        )

    def _run_policy_pack(
        self,
        request: language_pb2.RunPluginRequest,
        context: grpc.ServicerContext,
        arguments: list[str],
        variables: dict[str, str],
    ) -> Iterator[plugins.PluginOutput]:
        proxy = PolicyProxy()
        context.add_callback(proxy.close)
        yield plugins.PluginOutput(stdout=f"{proxy.port}\n".encode())
        policy_variables = build_policy_variables(proxy.wait_for_configuration())
        folder = request.info.program_directory
        child = self._plugins.start(arguments, {**variables, **policy_variables}, folder)
        yield from self._stream(child, context, proxy)
        proxy.close()

    def _stream(
        self, child: Child, context: grpc.ServicerContext, proxy: PolicyProxy | None = None
    ) -> Iterator[plugins.PluginOutput]:
        context.add_callback(child.kill)
        yield from plugins.stream_output(child, proxy)
        code = self._plugins.finish(child)
        if code:
            yield plugins.PluginOutput(exitcode=code)


for unserved_method in (
    "GetRequiredPlugins",
    "RuntimeOptionsPrompts",
    "GenerateProgram",
    "GenerateProject",
    "GeneratePackage",
    "Pack",
    "Link",
):
    setattr(LanguageHost, unserved_method, build_refusal(unserved_method))


def refuse_debugger(*, attach: bool) -> None:
    if attach:
        raise RefusedError(
            "this clone's language host cannot attach a debugger; an official Pulumi can"
        )
