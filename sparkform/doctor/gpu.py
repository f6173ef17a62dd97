"""GPU, driver and CUDA."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.doctor.check import Check, View
from sparkform.doctor.versions import at_least

SPARK = "12.1"
"""Compute capability of GB10 (sm_121; NVIDIA CUDA GPUs list)."""


def gpu(view: View) -> Iterator[Check]:
    found = view.facts.gpu
    if found is None or not found.gpus:
        reasons = [one.why for one in view.document.unreadable if one.what == "fact gpu"]
        why = reasons[0] if reasons else "nvidia-smi lists none"
        fix = "`nvidia-smi` on the node; `sudo dmesg | grep -i nvrm`; a reboot if it fell off"
        yield view.fail("gpu", f"no GPU: {why}", fix)
        return
    for one in found.gpus:
        said = f"{one.name}, compute capability {one.compute_capability}"
        if one.compute_capability == SPARK:
            yield view.ok("gpu", said)
        else:
            fix = "builds for sm_121 do not run on it; give images for its own architecture"
            yield view.warn("gpu", f"{said}: not a DGX Spark's {SPARK}", fix)


def driver(view: View) -> Iterator[Check]:
    found, floor = view.facts.gpu, view.spec.cluster.expected.driver
    if found is not None:
        fix = "`sudo apt update && sudo apt dist-upgrade && sudo reboot`"
        yield _held_to(view, "driver", found.driver, floor, fix)


def cuda(view: View) -> Iterator[Check]:
    """What the driver offers: images bring their own toolkit."""
    found, floor = view.facts.cuda, view.spec.cluster.expected.cuda
    if found is not None:
        yield _held_to(view, "cuda", found.driver, floor, "a newer driver brings a newer CUDA")


def _held_to(view: View, name: str, found: str, floor: str | None, fix: str) -> Check:
    if floor is None:
        return view.ok(name, found)
    if at_least(found, floor) is True:
        return view.ok(name, f"{found}, {floor} or newer is expected")
    return view.fail(name, f"{found} is older than {floor}, which is expected", fix)


CHECKS = (gpu, driver, cuda)
