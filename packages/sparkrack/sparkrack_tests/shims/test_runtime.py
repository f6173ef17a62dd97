"""The container runtime hands out a GPU only where the real one would."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sparkrack.shims import ROOTFS
from sparkrack.shims.rootfs.usr.lib.rack.rack_shims import runtime
from sparkrack_tests.shims.conftest import ShimNode

RUNTIME = "usr/bin/nvidia-container-runtime"
CONFIG = "etc/nvidia-container-runtime/config.toml"


class Toolkit:
    """A node with a runc that only records how it was called."""

    def __init__(self, node: ShimNode, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.node, self.bundle, self.bin = node, folder / "bundle", folder / "bin"
        self.bundle.mkdir()
        self.bin.mkdir()
        runc = self.bin / "runc"
        runc.write_text(f'#!/bin/sh\necho "$@" > {folder}/called\n')
        runc.chmod(0o755)
        self.called = folder / "called"
        node.write(CONFIG, (ROOTFS / CONFIG).read_text())
        self.uuid = node.read_document("gpu")["uuid"]
        monkeypatch.setenv("PATH", f"{self.bin}:{os.environ['PATH']}")
        monkeypatch.setattr(os, "execv", self.run_and_end)

    @staticmethod
    def run_and_end(path: str, arguments: list[str]) -> None:
        """What execv does, without giving this process away."""
        result = subprocess.run([path, *arguments[1:]], timeout=20, check=False)
        raise SystemExit(result.returncode)

    def create(self, *env: str) -> tuple[int, str, dict[str, Any]]:
        spec = {"process": {"env": list(env)}, "root": {"path": "rootfs"}}
        (self.bundle / "config.json").write_text(json.dumps(spec))
        log = ["--log", str(self.bundle / "log.json"), "--log-format", "json"]
        arguments = [*log, "create", "--bundle", str(self.bundle), "one"]
        answer = self.node.run(RUNTIME, *arguments)
        changed = json.loads((self.bundle / "config.json").read_text())
        return answer.returncode, answer.stderr, changed


@pytest.fixture
def toolkit(
    node: ShimNode, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Toolkit:
    return Toolkit(node, tmp_path_factory.mktemp("toolkit"), monkeypatch)


def has_gpu(spec: dict[str, Any]) -> bool:
    return any(d["path"] == "/dev/nvidia0" for d in spec.get("linux", {}).get("devices", []))


def test_it_calls_runc_with_the_same_arguments(toolkit: Toolkit) -> None:
    code, _, _ = toolkit.create()
    assert code == 0
    assert toolkit.called.read_text().startswith(f"--log {toolkit.bundle}/log.json")


def test_a_container_that_asks_for_nothing_stays_as_it_is(toolkit: Toolkit) -> None:
    _, _, spec = toolkit.create("PATH=/bin")
    assert spec == {"process": {"env": ["PATH=/bin"]}, "root": {"path": "rootfs"}}


@pytest.mark.parametrize("value", ["all", "0", "UUID"])
def test_a_container_that_asks_for_the_gpu_gets_it(toolkit: Toolkit, value: str) -> None:
    _, _, spec = toolkit.create(f"NVIDIA_VISIBLE_DEVICES={value.replace('UUID', toolkit.uuid)}")
    assert has_gpu(spec)
    assert spec["process"]["env"] == ["NVIDIA_VISIBLE_DEVICES=void"]
    assert "/usr/bin/nvidia-smi" in [mount["destination"] for mount in spec["mounts"]]


@pytest.mark.parametrize("value", ["void", "none", ""])
def test_a_container_that_wants_no_gpu_gets_none(toolkit: Toolkit, value: str) -> None:
    assert not has_gpu(toolkit.create(f"NVIDIA_VISIBLE_DEVICES={value}")[2])


def test_a_swarm_task_gets_its_gpu_by_the_top_level_key(toolkit: Toolkit) -> None:
    config = toolkit.node.read(CONFIG)
    toolkit.node.write(CONFIG, 'swarm-resource = "DOCKER_RESOURCE_NVIDIA_GPU"\n' + config)
    assert has_gpu(toolkit.create(f"DOCKER_RESOURCE_NVIDIA_GPU={toolkit.uuid}")[2])


@pytest.mark.parametrize(
    ("prefix", "suffix"),
    [
        ("", ""),
        ('swarm-resource = "DOCKER_RESOURCE_GPU"\n', ""),
        ("", 'swarm-resource = "DOCKER_RESOURCE_NVIDIA_GPU"\n'),
    ],
    ids=["key absent", "other kind", "key in the last table"],
)
def test_a_wrong_swarm_key_leaves_the_task_without_a_gpu(
    toolkit: Toolkit, prefix: str, suffix: str
) -> None:
    config = toolkit.node.read(CONFIG)
    toolkit.node.write(CONFIG, prefix + config + suffix)
    assert not has_gpu(toolkit.create(f"DOCKER_RESOURCE_NVIDIA_GPU={toolkit.uuid}")[2])


@pytest.mark.parametrize(
    ("version", "mode", "expected"),
    [("1.17.8", "auto", True), ("1.18.2", "auto", False), ("1.18.2", "legacy", True)],
)
def test_toolkit_1_18_ignores_the_swarm_key_in_its_default_mode(
    toolkit: Toolkit, version: str, mode: str, expected: bool
) -> None:
    config = toolkit.node.read(CONFIG).replace('mode = "auto"', f'mode = "{mode}"')
    toolkit.node.write(CONFIG, 'swarm-resource = "DOCKER_RESOURCE_NVIDIA_GPU"\n' + config)
    toolkit.node.edit("toolkit", version=version)
    assert has_gpu(toolkit.create(f"DOCKER_RESOURCE_NVIDIA_GPU={toolkit.uuid}")[2]) is expected


def test_a_stale_uuid_fails_the_container_before_runc(toolkit: Toolkit) -> None:
    stale = "GPU-00000000-0000-0000-0000-00000000dead"
    code, errors, _ = toolkit.create(f"NVIDIA_VISIBLE_DEVICES={stale}")
    assert code == 1
    assert "failed to get device handle from UUID: Not Found" in errors
    logged = json.loads((toolkit.bundle / "log.json").read_text())
    assert logged["msg"].endswith("failed to get device handle from UUID: Not Found")
    assert not toolkit.called.exists()


def test_a_gpu_that_is_gone_fails_the_container(toolkit: Toolkit) -> None:
    toolkit.node.write("etc/rack/faults/gpu-gone", "")
    assert toolkit.create("NVIDIA_VISIBLE_DEVICES=all")[0] == 1
    assert toolkit.create("PATH=/bin")[0] == 0


def test_rdma_devices_come_with_the_mofed_request_only(toolkit: Toolkit) -> None:
    def list_paths(*env: str) -> set[str]:
        spec = toolkit.create("NVIDIA_VISIBLE_DEVICES=all", *env)[2]
        return {device["path"] for device in spec["linux"]["devices"]}

    assert "/dev/infiniband/uverbs0" not in list_paths()
    assert "/dev/infiniband/uverbs0" in list_paths("NVIDIA_MOFED=enabled")


def test_unprivileged_requests_can_be_switched_off(toolkit: Toolkit) -> None:
    key = "accept-nvidia-visible-devices-envvar-when-unprivileged = false\n"
    toolkit.node.write(CONFIG, key + toolkit.node.read(CONFIG))
    assert not has_gpu(toolkit.create("NVIDIA_VISIBLE_DEVICES=all")[2])


def test_a_limit_above_the_machines_own_is_cut_down_and_no_other() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    high = {"type": "RLIMIT_NOFILE", "hard": 2**64 - 1, "soft": 2**64 - 1}
    low = {"type": "RLIMIT_NOFILE", "hard": most - 1, "soft": 7}
    spec = runtime.clamp_limits({"process": {"rlimits": [high, dict(low)]}})
    assert spec["process"]["rlimits"] == [{**high, "hard": most, "soft": most}, low]


def test_a_mode_that_the_shim_does_not_know_is_refused(toolkit: Toolkit) -> None:
    config = toolkit.node.read(CONFIG).replace('mode = "auto"', 'mode = "cdi"')
    toolkit.node.write(CONFIG, config)
    code, errors, _ = toolkit.create("NVIDIA_VISIBLE_DEVICES=all")
    assert code == 125
    assert "does not know mode cdi" in errors


def test_an_old_cuda_image_gets_all_devices_unasked() -> None:
    assert runtime.list_requested_devices({"CUDA_VERSION": "9.0"}, []) == ["all"]
    assert (
        runtime.list_requested_devices({"CUDA_VERSION": "9.0", "NVIDIA_REQUIRE_CUDA": "x"}, [])
        == []
    )


def test_the_versions_are_those_of_the_data(toolkit: Toolkit) -> None:
    assert toolkit.node.spawn(RUNTIME, "--version").stdout.startswith(
        "NVIDIA Container Runtime version 1.19.0\ncommit: "
    )
    hook = toolkit.node.run("usr/bin/nvidia-container-runtime-hook", "-version")
    assert hook.stdout.startswith("NVIDIA Container Runtime Hook version 1.19.0\n")
    cli = toolkit.node.run("usr/bin/nvidia-container-cli", "--version")
    assert cli.stdout.startswith("cli-version: 1.19.0\nlib-version: 1.19.0\n")


def test_without_runc_there_is_an_error(toolkit: Toolkit) -> None:
    shutil.rmtree(toolkit.bin)
    config = toolkit.node.read(CONFIG).replace('["runc", "crun"]', '["no-such-runtime"]')
    toolkit.node.write(CONFIG, config)
    code, errors, _ = toolkit.create()
    assert code == 1
    assert "no runtime binary found" in errors


def test_the_hook_leaves_a_container_without_request_alone(toolkit: Toolkit) -> None:
    toolkit.create("PATH=/bin")
    state = json.dumps({"bundle": str(toolkit.bundle), "pid": os.getpid()})
    program = "usr/bin/nvidia-container-runtime-hook"
    assert toolkit.node.run(program, "prestart", stdin=state).returncode == 0


def test_the_hook_refuses_a_device_of_another_machine(toolkit: Toolkit) -> None:
    toolkit.create()
    spec = {"process": {"env": ["NVIDIA_VISIBLE_DEVICES=7"]}, "root": {"path": "rootfs"}}
    (toolkit.bundle / "config.json").write_text(json.dumps(spec))
    state = json.dumps({"bundle": str(toolkit.bundle), "pid": os.getpid()})
    answer = toolkit.node.run("usr/bin/nvidia-container-runtime-hook", "prestart", stdin=state)
    assert (answer.returncode, answer.stderr) == (
        1,
        "nvidia-container-cli: device error: 7: unknown device\n",
    )


def test_an_image_of_the_racks_own_gets_the_folder_that_it_asks_for() -> None:
    asking_spec = {"process": {"env": ["RACK_MOUNT=/opt/rack/vllm"]}}
    for spec, expected in ((asking_spec, True), ({}, False)):
        mounts = runtime.add_gpu(dict(spec), {})["mounts"]
        engine_mounts = [mount for mount in mounts if mount["source"] == "/opt/rack/vllm"]
        assert bool(engine_mounts) is expected
        assert all("ro" in mount["options"] for mount in engine_mounts)
