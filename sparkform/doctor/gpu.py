"""GPU, driver and CUDA."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.doctor.check import Check, NodeView
from sparkform.doctor.versions import is_at_least

SPARK_COMPUTE_CAPABILITY = "12.1"
"""Compute capability of GB10 (sm_121; NVIDIA CUDA GPUs list)."""


def check_gpu(view: NodeView) -> Iterator[Check]:
    gpu_facts = view.facts.gpu
    if gpu_facts is None or not gpu_facts.gpus:
        reasons = [one.why for one in view.report.unreadable if one.what == "fact gpu"]
        reason = reasons[0] if reasons else "nvidia-smi lists none"
        fix = "`nvidia-smi` on the node; `sudo dmesg | grep -i nvrm`; a reboot if it fell off"
        yield view.fail("gpu", f"no GPU: {reason}", fix)
        return
    for one in gpu_facts.gpus:
        message = f"{one.name}, compute capability {one.compute_capability}"
        if one.compute_capability == SPARK_COMPUTE_CAPABILITY:
            yield view.ok("gpu", message)
        else:
            fix = "builds for sm_121 do not run on it; give images for its own architecture"
            yield view.warn("gpu", f"{message}: not a DGX Spark's {SPARK_COMPUTE_CAPABILITY}", fix)


def check_driver(view: NodeView) -> Iterator[Check]:
    gpu_facts, floor = view.facts.gpu, view.declaration.cluster.expected.driver
    if gpu_facts is not None:
        fix = "`sudo apt update && sudo apt dist-upgrade && sudo reboot`"
        yield _check_floor(view, "driver", gpu_facts.driver, floor, fix)


def check_cuda(view: NodeView) -> Iterator[Check]:
    """What the driver offers: images bring their own toolkit."""
    cuda_facts, floor = view.facts.cuda, view.declaration.cluster.expected.cuda
    if cuda_facts is not None:
        yield _check_floor(
            view, "cuda", cuda_facts.driver, floor, "a newer driver brings a newer CUDA"
        )


def _check_floor(view: NodeView, name: str, version: str, floor: str | None, fix: str) -> Check:
    if floor is None:
        return view.ok(name, version)
    if is_at_least(version, floor) is True:
        return view.ok(name, f"{version}, {floor} or newer is expected")
    return view.fail(name, f"{version} is older than {floor}, which is expected", fix)


CHECKS = (check_gpu, check_driver, check_cuda)
