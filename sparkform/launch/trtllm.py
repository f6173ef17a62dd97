"""TensorRT-LLM: trtllm-serve on one node, under mpirun on several.

Options and engine file: tensorrt_llm/commands/serve.py@00209af; playbook values:
NVIDIA/dgx-spark-playbooks@0db7c14, nvidia/trt-llm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from node.host.addresses import is_loopback
from sparkform.config import TrtllmService
from sparkform.config.groups import format_service_path
from sparkform.errors import Problem
from sparkform.launch import scripts
from sparkform.launch.arguments import (
    check_extra_arguments,
    check_launcher_splitting,
    flatten_options,
    format_options,
    resolve_alias,
)
from sparkform.launch.environment import COMPILER_VARIABLES
from sparkform.launch.records import LaunchFile, PortUse
from sparkform.launch.request import EngineRank, LaunchRequest
from sparkform.launch.trtllm_file import ENGINE_FILE_OPTIONS, build_engine_settings, render_yaml
from sparkform.launch.trtllm_keys import find_key_problems, has_option
from sparkform.launch.trtllm_mpi import plan_mpi_ranks
from sparkform.versions import parse_tag_version

ALIASES = {
    "--tensor_parallel_size": "--tp_size",
    "--pipeline_parallel_size": "--pp_size",
    "--config": "--extra_llm_api_options",
    "--hf_revision": "--revision",
}
PROMETHEUS_SETTINGS = {"return_perf_metrics": True}
"""Without it /prometheus/metrics is not served (nvidia.github.io/TensorRT-LLM/examples/
prometheus_metrics.html)."""


def plan_ranks(request: LaunchRequest, declared: TrtllmService) -> tuple[EngineRank, ...]:
    """Every rank of the service."""
    if request.has_several_ranks:
        command = build_serve_command(request, declared)
        return plan_mpi_ranks(request, command, (_build_engine_file(request, declared),))
    start = LaunchFile(
        path=request.start_script,
        text=scripts.join_script(scripts.IMAGE_ENTRYPOINT, scripts.EXEC_ARGUMENTS),
        mode="0555",
    )
    weights = request.locate_weights(request.head)
    return (
        EngineRank(
            member=request.head,
            argv=build_serve_command(request, declared),
            variables=(*weights.variables, *COMPILER_VARIABLES),
            files=(start, _build_engine_file(request, declared)),
            ports=(PortUse(number=declared.port, address=declared.bind, purpose="API"),),
        ),
    )


def build_serve_command(request: LaunchRequest, declared: TrtllmService) -> tuple[str, ...]:
    """trtllm-serve with its arguments; what can stand in the engine file stands there."""
    options = _build_options(request, declared)
    model = request.locate_weights(request.head).argument
    return ("trtllm-serve", model, *flatten_options(options), *declared.extra_args)


def _build_options(request: LaunchRequest, declared: TrtllmService) -> dict[str, str | None]:
    return format_options(
        {
            "--backend": "pytorch",
            "--host": declared.bind,
            "--port": declared.port,
            "--tp_size": declared.tensor_parallel,
            "--pp_size": declared.pipeline_parallel,
            "--extra_llm_api_options": _get_engine_file_path(request),
            "--revision": request.locate_weights(request.head).revision,
            "--served_model_name": request.served_name if _can_rename(declared) else None,
            "--trust_remote_code": declared.trust_remote_code,
            "--reasoning_parser": declared.reasoning_parser,
            "--tool_parser": declared.tool_parser,
        }
    )


def find_problems(request: LaunchRequest, declared: TrtllmService) -> Iterator[Problem]:
    """What this engine cannot do as declared."""
    path = format_service_path(request.service)
    if request.is_native:
        yield Problem(
            path=f"{path}.runtime",
            message="is native, which TensorRT-LLM is not run as",
            got="native",
            allowed="swarm, container",
            because="NVIDIA releases it for Spark as a container image",
        )
        return
    if declared.data_parallel > 1:
        yield Problem(
            path=f"{path}.dataParallel",
            message="is not something that trtllm-serve does",
            got=str(declared.data_parallel),
            allowed="1",
            remedy="declare one service a node instead",
        )
    if "apiKey" in request.secrets and not is_loopback(declared.bind):
        yield _build_api_key_problem(path, declared.bind)
    yield from _find_name_problems(request, declared, path)
    yield from find_key_problems(
        request.service, declared.image or "", _build_engine_settings(request, declared)
    )
    yield from _find_argument_problems(request, declared)


def _find_argument_problems(request: LaunchRequest, declared: TrtllmService) -> Iterator[Problem]:
    options = _build_options(request, declared)
    yield from check_extra_arguments(request.service, declared.extra_args, options, ALIASES)
    for position, argument in enumerate(declared.extra_args):
        key = ENGINE_FILE_OPTIONS.get(resolve_alias(argument, ALIASES))
        if key:
            yield Problem(
                path=f"{format_service_path(request.service)}.extraArgs[{position}]",
                message=f"gives {argument.partition('=')[0]}, which stands in the engine file",
                because="whether the file or the option wins depends on the image's version",
                remedy=f"use {key}",
            )
    if request.has_several_ranks:
        command = build_serve_command(request, declared)
        yield from check_launcher_splitting(request.service, command, declared.extra_args)


def _find_name_problems(
    request: LaunchRequest, declared: TrtllmService, path: str
) -> Iterator[Problem]:
    """Older images call a model by its handle, or by the name of its folder."""
    default_name = declared.model if not declared.model_path else request.served_name
    if _can_rename(declared) or (
        default_name == request.served_name and _is_name_possible(declared, default_name)
    ):
        return
    yield Problem(
        path=f"{path}.servedName",
        message=f"cannot be {request.served_name} in this image",
        got=declared.image,
        allowed="a name without / beside modelPath; the model's handle otherwise",
        because="trtllm-serve takes --served_model_name only since 1.3.0rc7",
    )


def _is_name_possible(declared: TrtllmService, name: str | None) -> bool:
    return not (declared.model_path and name and "/" in name)


def _build_api_key_problem(path: str, bind: str) -> Problem:
    return Problem(
        path=f"{path}.bind",
        message="is reachable, but TensorRT-LLM asks nobody for sparkform:apiKey",
        got=bind,
        allowed="127.0.0.1, behind a proxy that asks for the key",
        because="trtllm-serve has no such option (NVIDIA/TensorRT-LLM issue 9950)",
        remedy="bind to 127.0.0.1, serve the model with vllm, or remove sparkform:apiKey",
    )


def _can_rename(declared: TrtllmService) -> bool:
    version = parse_tag_version(declared.image or "")
    return version is not None and has_option(version, "--served_model_name")


def _get_engine_file_path(request: LaunchRequest) -> str:
    return f"{request.folder}/engine.yaml"


def _build_engine_settings(request: LaunchRequest, declared: TrtllmService) -> Mapping[str, object]:
    settings = build_engine_settings(declared, request.all_reduce or "AUTO")
    return settings | PROMETHEUS_SETTINGS if request.is_monitored else settings


def _build_engine_file(request: LaunchRequest, declared: TrtllmService) -> LaunchFile:
    return LaunchFile(
        path=_get_engine_file_path(request),
        text=render_yaml(_build_engine_settings(request, declared)),
    )
