"""The language host of this clone, called as the engine calls it but without an engine."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc  # type: ignore[import-untyped]
import pytest
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from pulumi_offline.layout import PACKAGE
from pulumi_offline.versions import parse_pins
from pulumi_offline_tests.project import ROOT

SERVICE = language_pb2.DESCRIPTOR.services_by_name["LanguageRuntime"]
UNSERVED = {
    "GetRequiredPlugins",
    "RuntimeOptionsPrompts",
    "GenerateProgram",
    "GenerateProject",
    "GeneratePackage",
    "Pack",
    "Link",
}
START = [
    *[sys.executable, "-P", str(ROOT / PACKAGE / "launch.py"), "pulumi_offline.language_host"],
    *["--use-executor", "/no/executor", "--logtostderr", "-v=9", "127.0.0.1:1"],
]
CALL_LIMIT_S = 10.0


@pytest.fixture(scope="module")
def channel() -> Iterator[grpc.Channel]:
    with subprocess.Popen(START, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
        process.terminate()


def answer(channel: grpc.Channel, method: str) -> tuple[grpc.StatusCode, str]:
    """The status of a call with an empty request. All requests may be empty, as bytes."""
    described = SERVICE.methods_by_name[method]
    kind = channel.unary_stream if described.server_streaming else channel.unary_unary
    call = kind(f"/{SERVICE.full_name}/{method}")
    try:
        result = call(b"", timeout=CALL_LIMIT_S)
        list(result) if described.server_streaming else result
    except grpc.RpcError as error:
        return error.code(), error.details()
    return grpc.StatusCode.OK, ""


def build_info(**options: str) -> language_pb2.ProgramInfo:
    program_info = language_pb2.ProgramInfo(root_directory=str(ROOT), program_directory=str(ROOT))
    program_info.options.update(options)
    return program_info


@pytest.mark.parametrize("method", sorted(UNSERVED))
def test_what_is_not_served_is_told_in_a_sentence(channel: grpc.Channel, method: str) -> None:
    code, details = answer(channel, method)
    assert code == grpc.StatusCode.UNIMPLEMENTED
    assert details == (
        f"this clone's language host does not support {method}; an official Pulumi on PATH does"
    )


def test_every_other_method_is_served(channel: grpc.Channel) -> None:
    codes = {
        name: answer(channel, name)[0]
        for name in SERVICE.methods_by_name
        if name not in UNSERVED | {"Run", "RunPlugin", "InstallDependencies"}
    }
    assert set(codes.values()) == {grpc.StatusCode.OK}, codes


def test_the_host_states_the_version_of_the_sdk(channel: grpc.Channel) -> None:
    stub = language_pb2_grpc.LanguageRuntimeStub(channel)
    pinned = parse_pins((ROOT / "requirements.lock").read_text())["pulumi"]
    assert stub.GetPluginInfo(empty_pb2.Empty()).version == pinned


def test_the_plugins_of_the_locked_packages_are_required(channel: grpc.Channel) -> None:
    stub = language_pb2_grpc.LanguageRuntimeStub(channel)
    request = language_pb2.GetRequiredPackagesRequest(info=build_info(virtualenv=".venv"))
    required = {
        package.name: (package.kind, package.version)
        for package in stub.GetRequiredPackages(request).packages
    }
    pinned = parse_pins((ROOT / "requirements.lock").read_text())
    assert required == {
        "command": ("resource", f"v{pinned['pulumi-command']}"),
        "docker": ("resource", f"v{pinned['pulumi-docker']}"),
    }


@pytest.mark.parametrize("method", ["Run", "RunPlugin"])
def test_a_debugger_is_refused_in_a_sentence(channel: grpc.Channel, method: str) -> None:
    stub = language_pb2_grpc.LanguageRuntimeStub(channel)
    request = getattr(language_pb2, f"{method}Request")(info=build_info(), attach_debugger=True)
    with pytest.raises(grpc.RpcError) as caught:
        list(getattr(stub, method)(request) if method == "RunPlugin" else [stub.Run(request)])
    assert "cannot attach a debugger" in caught.value.details()


def test_a_plugin_written_in_python_runs_and_its_end_is_told(
    channel: grpc.Channel, tmp_path: Path
) -> None:
    (tmp_path / "__main__.py").write_text(
        "import os, sys\nprint('port', *sys.argv[1:], os.getcwd(), flush=True)\n"
        "print(os.environ['SENT'], file=sys.stderr)\nsys.exit(7)\n"
    )
    program_info = language_pb2.ProgramInfo(
        root_directory=str(tmp_path), program_directory=str(tmp_path)
    )
    program_info.options.update({"virtualenv": str(ROOT / ".venv")})
    request = language_pb2.RunPluginRequest(
        info=program_info, kind="resource", pwd="/", args=["engine:1"], env=["SENT=by the engine"]
    )
    stub = language_pb2_grpc.LanguageRuntimeStub(channel)
    outputs = list(stub.RunPlugin(request, timeout=CALL_LIMIT_S))
    assert b"".join(output.stdout for output in outputs) == b"port engine:1 /\n"
    assert b"".join(output.stderr for output in outputs) == b"by the engine\n"
    assert [output.exitcode for output in outputs if output.HasField("exitcode")] == [7]


def test_a_plugin_ends_when_the_engine_drops_its_call(
    channel: grpc.Channel, tmp_path: Path
) -> None:
    (tmp_path / "__main__.py").write_text(
        "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n"
    )
    program_info = language_pb2.ProgramInfo(
        root_directory=str(tmp_path), program_directory=str(tmp_path)
    )
    program_info.options.update({"virtualenv": str(ROOT / ".venv")})
    stub = language_pb2_grpc.LanguageRuntimeStub(channel)
    call = stub.RunPlugin(language_pb2.RunPluginRequest(info=program_info, kind="resource"))
    process = int(next(iter(call)).stdout)
    status = Path("/proc", str(process), "stat")
    assert status.exists(), "it runs as long as the call lasts"
    call.cancel()
    deadline = time.monotonic() + 30.0
    while status.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not status.exists()
