"""GPU, driver and CUDA."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sparkform.doctor.check import Check, NodeView, check_floor
from sparkform.report.facts import Gpu

SPARK_COMPUTE_CAPABILITY = "12.1"
"""Compute capability of GB10 (sm_121; NVIDIA CUDA GPUs list)."""


SILENT_GPU: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile("version mismatch"),
        "the driver was updated under its loaded module",
        "`sudo reboot`; containers that run go on until they are started anew",
    ),
    (
        re.compile("couldn't communicate"),
        "the driver's module is not loaded",
        "`sudo modprobe nvidia` on the node says why: no module for this kernel (`dkms status`, "
        "`apt list --installed 'linux-modules-nvidia*'`) or none that Secure Boot accepts "
        "(`mokutil --sb-state`)",
    ),
    (
        re.compile("No devices were found|GPU is lost|handle for GPU", re.IGNORECASE),
        "the driver does not reach the GPU",
        "`sudo dmesg | grep -i nvrm`, then `sudo reboot`; if it stays so, switch the node off and "
        "take its power away for some minutes",
    ),
    (
        re.compile("not found|No such file"),
        "nvidia-smi is not installed",
        "install the driver: `sudo apt install nvidia-utils-580` or DGX OS's own packages",
    ),
)
"""What nvidia-smi says where no GPU can be asked, what it means, and what to do."""


def check_gpu(view: NodeView) -> Iterator[Check]:
    """A GPU that cannot be queried fails: no engine runs on it."""
    gpu_facts, reason = view.facts.gpu, view.find_unread_reason("fact gpu")
    if gpu_facts is None:
        yield _explain_silence(view, reason or "the node did not report it")
    elif not gpu_facts.gpus:
        fix = "`sudo dmesg | grep -i nvrm` on the node; a reboot if the GPU fell off the bus"
        yield view.fail("gpu", "nvidia-smi lists no GPU", fix)
    else:
        yield from (_check_architecture(view, gpu) for gpu in gpu_facts.gpus)


def _explain_silence(view: NodeView, reason: str) -> Check:
    for pattern, meaning, fix in SILENT_GPU:
        if pattern.search(reason):
            return view.fail("gpu", f"{meaning} ({reason})", fix)
    return view.unknown("gpu", reason, "fail")


def _check_architecture(view: NodeView, gpu: Gpu) -> Check:
    message = f"{gpu.name}, compute capability {gpu.compute_capability}"
    if gpu.compute_capability == SPARK_COMPUTE_CAPABILITY:
        return view.ok("gpu", message)
    fix = "declare images for this architecture: builds for sm_121 do not run on it"
    return view.warn("gpu", f"{message}: a DGX Spark has {SPARK_COMPUTE_CAPABILITY}", fix)


def check_driver(view: NodeView) -> Iterator[Check]:
    gpu_facts, floor = view.facts.gpu, view.declaration.cluster.expected.driver
    if gpu_facts is not None:
        fix = "`sudo apt update && sudo apt dist-upgrade && sudo reboot`"
        yield check_floor(view, "driver", gpu_facts.driver, floor, fix)


def check_cuda(view: NodeView) -> Iterator[Check]:
    """What the driver offers: images bring their own toolkit."""
    cuda_facts, floor = view.facts.cuda, view.declaration.cluster.expected.cuda
    if cuda_facts is not None:
        fix = "update the driver: it brings CUDA"
        yield check_floor(view, "cuda", cuda_facts.driver, floor, fix)


CHECKS = (check_gpu, check_driver, check_cuda)
