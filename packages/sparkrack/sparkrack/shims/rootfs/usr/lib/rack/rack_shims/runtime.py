"""`nvidia-container-runtime`: changes the container's OCI spec as the real one would, runs runc.

Which devices a container gets: internal/config/image/cuda_image.go and internal/runtime of
NVIDIA/nvidia-container-toolkit at tag v1.19.0. What it gets here: the device files (no driver
stands behind them), `nvidia-smi` with the node's data, and NVIDIA_VISIBLE_DEVICES=void as the
toolkit's CDI specs set it. Limits are cut down to what this machine can give (docs/rack.md).
"""

from __future__ import annotations

import datetime
import json
import os
import re
import resource
import shutil
import sys
from pathlib import Path
from typing import Any

from . import node, toolkit

UUID = re.compile(r"GPU-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
VISIBLE = "NVIDIA_VISIBLE_DEVICES"
MOUNTS = ("/usr/bin/nvidia-smi", "/usr/lib/rack", "/etc/rack")
# An image of the rack's own may ask for one more folder of the node: its engine.
ASKED_MOUNT = "RACK_MOUNT"


class RuntimeFault(Exception):
    """The container cannot be made; the text is the real runtime's."""


def read_environment(spec: dict[str, Any]) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in spec.get("process", {}).get("env", []))
    return {name: value for name, _, value in pairs}


def parse_version(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-")[0].split("."))


def choose_mode(config: dict[str, Any], version: str) -> str:
    """The runtime mode; `auto` is `legacy` before 1.18 and `jit-cdi` since."""
    chosen = str(config.get("nvidia-container-runtime", {}).get("mode", "auto"))
    if chosen != "auto":
        return chosen
    return "jit-cdi" if parse_version(version) >= (1, 18) else "legacy"


def list_device_variables(config: dict[str, Any], version: str) -> list[str]:
    """The names of the variables that may name devices before NVIDIA_VISIBLE_DEVICES does.

    Only a top-level `swarm-resource` counts, and toolkit 1.18 ignores it in its default mode
    (NVIDIA/nvidia-container-toolkit issue 1599, mended in 1.19.0).
    """
    if choose_mode(config, version) == "jit-cdi" and parse_version(version) < (1, 19):
        return []
    names = str(config.get("swarm-resource", "")).split(",")
    return [name.strip() for name in names if name.strip()]


def list_requested_devices(env: dict[str, str], preferred: list[str]) -> list[str]:
    """What a container asks for; an empty list means no GPU."""
    chosen = [name for name in preferred if name in env] or [VISIBLE]
    values = [part.strip() for name in chosen for part in env.get(name, "").split(",")]
    devices = [value for value in values if value]
    legacy = "CUDA_VERSION" in env and "NVIDIA_REQUIRE_CUDA" not in env
    if not devices and legacy and not any(name in env for name in chosen):
        return ["all"]
    return [] if "void" in devices or "none" in devices else devices


def check_devices(devices: list[str], uuid: str) -> None:
    """Raise RuntimeFault for a device that this node does not have."""
    start = (
        "failed to create NVIDIA Container Runtime: failed to construct OCI spec modifier: "
        "failed to create the automatic CDI modifier: failed to generate CDI spec for mode "
        '"auto": '
    )
    for device in devices:
        if device in ("all", "0", uuid):
            continue
        if UUID.fullmatch(device):
            raise RuntimeFault(f"{start}failed to get device handle from UUID: Not Found")
        if device.isdigit():
            raise RuntimeFault(f"{start}failed to get device handle from index: Invalid Argument")
        raise RuntimeFault(f"{start}invalid device ID: {device}")


def add_gpu(spec: dict[str, Any], devices: dict[str, list[int]]) -> dict[str, Any]:
    """The spec with device files, nvidia-smi and NVIDIA_VISIBLE_DEVICES=void."""
    linux = spec.setdefault("linux", {})
    rules = linux.setdefault("resources", {}).setdefault("devices", [])
    for path, (major, minor) in devices.items():
        entry = {"path": path, "type": "c", "major": major, "minor": minor, "fileMode": 0o666}
        linux.setdefault("devices", []).append(entry | {"uid": 0, "gid": 0})
        rules.append({"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"})
    options = ["ro", "nosuid", "nodev", "rbind", "rprivate"]
    present = {mount["destination"] for mount in spec.setdefault("mounts", [])}
    extra_mount = read_environment(spec).get(ASKED_MOUNT)
    spec["mounts"] += [
        {"destination": path, "type": "bind", "source": path, "options": options}
        for path in (*MOUNTS, *([extra_mount] if extra_mount else []))
        if path not in present
    ]
    process = spec.setdefault("process", {})
    variables = [entry for entry in process.get("env", []) if not entry.startswith(VISIBLE + "=")]
    process["env"] = [*variables, f"{VISIBLE}=void"]
    return spec


def clamp_limits(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec with no limit above this process's own: a simulated node may not raise any."""
    for limit in spec.get("process", {}).get("rlimits") or []:
        _, ceiling = resource.getrlimit(getattr(resource, limit["type"]))
        if ceiling != resource.RLIM_INFINITY:
            limit["hard"] = min(limit["hard"], ceiling)
            limit["soft"] = min(limit["soft"], limit["hard"])
    return spec


def modify_spec(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec as this node's toolkit would leave it; raises RuntimeFault."""
    config, toolkit_data = toolkit.read_config(), node.read_document("toolkit")
    version = toolkit_data["version"]
    if choose_mode(config, version) not in ("jit-cdi", "legacy"):
        node.refuse("nvidia-container-runtime", f"mode {choose_mode(config, version)}")
    env = read_environment(spec)
    devices = list_requested_devices(env, list_device_variables(config, version))
    if not devices or not _may_ask(config, spec):
        return spec
    if node.is_gpu_gone():
        raise RuntimeFault("failed to get device handle from index: Not Found")
    check_devices(devices, node.read_document("gpu")["uuid"])
    files = node.read_document("devices")
    extra = files["infiniband"] if env.get("NVIDIA_MOFED") == "enabled" else {}
    return add_gpu(spec, files["nvidia"] | extra)


def _may_ask(config: dict[str, Any], spec: dict[str, Any]) -> bool:
    allowed = config.get("accept-nvidia-visible-devices-envvar-when-unprivileged", True)
    bounding = spec.get("process", {}).get("capabilities", {}).get("bounding", [])
    return bool(allowed) or "CAP_SYS_ADMIN" in bounding


def find_option(arguments: list[str], *names: str) -> str | None:
    """The value of an option in an argument list of runc, as `--name value` or `--name=value`."""
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in names:
            return value if equals else arguments[index + 1]
    return None


def _report_to_caller(arguments: list[str], message: str) -> None:
    """containerd shows its user what a runtime left in the file of `--log`, as JSON."""
    toolkit.write_log("error", message)
    path = find_option(arguments, "--log", "-log")
    if path is not None:
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        entry = {"level": "error", "msg": message, "time": now}
        with Path(path).open("a") as log:
            log.write(json.dumps(entry) + "\n")


def find_bundle(arguments: list[str]) -> Path:
    """The bundle folder of a `create` call; the working directory without --bundle."""
    return Path(find_option(arguments, "--bundle", "-bundle", "-b") or Path.cwd())


def main(arguments: list[str]) -> int:
    if "--version" in arguments:
        spec_version = node.read_document("toolkit")["oci_spec_version"]
        print("NVIDIA Container Runtime version " + toolkit.render_version())
        print(f"spec: {spec_version}\n", flush=True)
    elif "create" in arguments:
        path = find_bundle(arguments) / "config.json"
        try:
            spec = modify_spec(clamp_limits(json.loads(path.read_text())))
        except (RuntimeFault, OSError, ValueError) as error:
            _report_to_caller(arguments, str(error))
            return 1
        path.write_text(json.dumps(spec))
    names = (
        toolkit.read_config().get("nvidia-container-runtime", {}).get("runtimes", ["runc", "crun"])
    )
    low_level = next((program for name in names if (program := shutil.which(name))), None)
    if low_level is None:
        toolkit.write_log("error", f"no runtime binary found from candidate list: {names}")
        return 1
    sys.stdout.flush()
    os.execv(low_level, [low_level, *arguments])
