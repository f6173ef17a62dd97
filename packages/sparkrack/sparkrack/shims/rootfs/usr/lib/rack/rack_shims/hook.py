"""`nvidia-container-runtime-hook` and `nvidia-container-cli --version`.

`docker run --gpus` calls the hook under runc before the container's root is pivoted: it makes the
device files there, as the real hook does by way of nvidia-container-cli.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from . import node, runtime, toolkit


def main(arguments: list[str]) -> int:
    if arguments in (["-version"], ["--version"]):
        print("NVIDIA Container Runtime Hook version " + toolkit.render_version())
        return 0
    if arguments in (["poststart"], ["poststop"]):
        return 0
    if arguments != ["prestart"]:
        node.refuse("nvidia-container-runtime-hook", " ".join(arguments) or "no command")
    state = json.load(sys.stdin)
    spec = json.loads((Path(state["bundle"]) / "config.json").read_text())
    preferred = runtime.list_device_variables(toolkit.read_config(), "1.17.0")
    devices = runtime.list_requested_devices(runtime.read_environment(spec), preferred)
    if not devices:
        return 0
    try:
        runtime.check_devices(devices, node.read_document("gpu")["uuid"])
    except runtime.RuntimeFault:
        print(f"nvidia-container-cli: device error: {devices[0]}: unknown device", file=sys.stderr)
        return 1
    if node.is_gpu_gone():
        print("nvidia-container-cli: initialization error: no GPU found", file=sys.stderr)
        return 1
    return _make_devices(state["pid"], Path(state["bundle"]), spec["root"]["path"])


def _make_devices(pid: int, bundle: Path, root: str) -> int:
    for path, (major, minor) in node.read_document("devices")["nvidia"].items():
        target = (bundle / root).as_posix() + path
        command = f'test -e "{target}" || mknod -m 666 "{target}" c {major} {minor}'
        enter = ["nsenter", "--target", str(pid), "--mount", "--", "sh", "-c", command]
        code = subprocess.run(enter, check=False, timeout=10).returncode
        if code:
            return code
    return 0


def cli(arguments: list[str]) -> int:
    if arguments not in (["--version"], ["-V"]):
        node.refuse("nvidia-container-cli", " ".join(arguments) or "no command")
    data = node.read_document("toolkit")
    print(f"cli-version: {data['version']}\nlib-version: {data['version']}")
    print("\n".join(data["cli_build"]))
    return 0
