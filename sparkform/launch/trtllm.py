"""TensorRT-LLM: trtllm-serve on one node, under mpirun on several.

Options and engine file: tensorrt_llm/commands/serve.py@00209af; playbook values:
NVIDIA/dgx-spark-playbooks@0db7c14, nvidia/trt-llm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sparkform.config import TrtllmService
from sparkform.errors import Problem
from sparkform.launch import scripts
from sparkform.launch.arguments import as_arguments, extra_problems, present, spelled, unlaunchable
from sparkform.launch.environment import COMPILER
from sparkform.launch.records import LaunchFile, PortUse
from sparkform.launch.request import Rank, Request
from sparkform.launch.trtllm_file import NESTED_OPTIONS, as_yaml, engine_file
from sparkform.launch.trtllm_keys import has_option, key_problems
from sparkform.launch.trtllm_mpi import mpi_ranks
from sparkform.launch.versions import tag_version

ALIASES = {
    "--tensor_parallel_size": "--tp_size",
    "--pipeline_parallel_size": "--pp_size",
    "--config": "--extra_llm_api_options",
    "--hf_revision": "--revision",
}
LOOPBACK = ("127.0.0.1", "::1")


def ranks(request: Request, declared: TrtllmService) -> tuple[Rank, ...]:
    """Every rank of the service."""
    if request.is_several:
        command = serve_command(request, declared)
        return mpi_ranks(request, command, (_engine_file(request, declared),))
    start = LaunchFile(
        path=request.start,
        text=scripts.script(scripts.IMAGE_ENTRYPOINT, scripts.RUN),
        mode="0555",
    )
    weights = request.weights(request.head)
    return (
        Rank(
            member=request.head,
            argv=serve_command(request, declared),
            variables=(*weights.variables, *COMPILER),
            files=(start, _engine_file(request, declared)),
            ports=(PortUse(number=declared.port, address=declared.bind, purpose="API"),),
        ),
    )


def serve_command(request: Request, declared: TrtllmService) -> tuple[str, ...]:
    """trtllm-serve with its arguments; what can stand in the engine file stands there."""
    options = _options(request, declared)
    model = request.weights(request.head).argument
    return ("trtllm-serve", model, *as_arguments(options), *declared.extra_args)


def _options(request: Request, declared: TrtllmService) -> dict[str, str | None]:
    return present(
        {
            "--backend": "pytorch",
            "--host": declared.bind,
            "--port": declared.port,
            "--tp_size": declared.tensor_parallel,
            "--pp_size": declared.pipeline_parallel,
            "--extra_llm_api_options": _path(request),
            "--revision": request.weights(request.head).revision,
            "--served_model_name": request.served_name if _can_rename(declared) else None,
            "--trust_remote_code": declared.trust_remote_code,
            "--reasoning_parser": declared.reasoning_parser,
            "--tool_parser": declared.tool_parser,
        }
    )


def problems(request: Request, declared: TrtllmService) -> Iterator[Problem]:
    """What this engine cannot do as declared."""
    at = f"services.{request.service}"
    if request.is_native:
        yield Problem(
            path=f"{at}.runtime",
            what="is native, which TensorRT-LLM is not run as",
            got="native",
            allowed="swarm, container",
            because="NVIDIA releases it for Spark as a container image",
        )
        return
    if declared.data_parallel > 1:
        yield Problem(
            path=f"{at}.dataParallel",
            what="is not something that trtllm-serve does",
            got=str(declared.data_parallel),
            allowed="1",
            remedy="declare one service a node instead",
        )
    if "apiKey" in request.secrets and declared.bind not in LOOPBACK:
        yield _no_api_key(at, declared.bind)
    yield from _name_problems(request, declared, at)
    yield from key_problems(request.service, declared.image or "", _content(request, declared))
    yield from _argument_problems(request, declared)


def _argument_problems(request: Request, declared: TrtllmService) -> Iterator[Problem]:
    planned = _options(request, declared)
    yield from extra_problems(request.service, declared.extra_args, planned, ALIASES)
    for at, argument in enumerate(declared.extra_args):
        key = NESTED_OPTIONS.get(spelled(argument, ALIASES))
        if key:
            yield Problem(
                path=f"services.{request.service}.extraArgs[{at}]",
                what=f"gives {argument.partition('=')[0]}, which stands in the engine file",
                because="whether the file or the option wins depends on the image's version",
                remedy=f"use {key}",
            )
    if request.is_several:
        command = serve_command(request, declared)
        yield from unlaunchable(request.service, command, declared.extra_args)


def _name_problems(request: Request, declared: TrtllmService, at: str) -> Iterator[Problem]:
    """Older images call a model by its handle, or by the name of its folder."""
    own = declared.model if not declared.model_path else request.served_name
    if _can_rename(declared) or (own == request.served_name and _fits(declared, own)):
        return
    yield Problem(
        path=f"{at}.servedName",
        what=f"cannot be {request.served_name} in this image",
        got=declared.image,
        allowed="a name without / beside modelPath; the model's handle otherwise",
        because="trtllm-serve takes --served_model_name only since 1.3.0rc7",
    )


def _fits(declared: TrtllmService, name: str | None) -> bool:
    return not (declared.model_path and name and "/" in name)


def _no_api_key(at: str, bind: str) -> Problem:
    return Problem(
        path=f"{at}.bind",
        what="is reachable, but TensorRT-LLM asks nobody for sparkform:apiKey",
        got=bind,
        allowed="127.0.0.1, behind a proxy that asks for the key",
        because="trtllm-serve has no such option (NVIDIA/TensorRT-LLM issue 9950)",
        remedy="bind to 127.0.0.1, serve the model with vllm, or remove sparkform:apiKey",
    )


def _can_rename(declared: TrtllmService) -> bool:
    version = tag_version(declared.image or "")
    return version is not None and has_option(version, "--served_model_name")


def _path(request: Request) -> str:
    return f"{request.folder}/engine.yaml"


def _content(request: Request, declared: TrtllmService) -> Mapping[str, object]:
    return engine_file(declared, request.all_reduce or "AUTO")


def _engine_file(request: Request, declared: TrtllmService) -> LaunchFile:
    return LaunchFile(path=_path(request), text=as_yaml(_content(request, declared)))
