"""Room on a node's disk for the models that it is still to be brought. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.catalogue.describe import describe_model
from sparkform.doctor.check import Check, NodeView
from sparkform.doctor.machine import BYTES_PER_GIB
from sparkform.errors import InputError
from sparkform.plan.models import list_required_models
from sparkform.sizing.split import Cut, compute_weights_bytes

WHOLE = Cut(tensor_parallel=1, pipeline_parallel=1)


def check_model_room(view: NodeView) -> Iterator[Check]:
    """The download itself asks the hub for each file's size; this is known before."""
    disk, cached = view.facts.disk, view.facts.models
    if disk is None or cached is None:
        return
    complete = {model.handle for model in cached if model.complete}
    sizes = {
        required.handle: size
        for required in list_required_models(view.declaration)[0]
        if view.node.name in required.nodes and required.handle not in complete
        if (size := _estimate_gib(required.handle)) is not None
    }
    space, needed = disk.model_directory, sum(sizes.values())
    free = space.free_bytes / BYTES_PER_GIB
    if needed > free:
        names = ", ".join(f"{handle} {size:.0f}" for handle, size in sizes.items())
        message = f"models to come need {needed:.0f} GiB in {space.path} ({names}), {free:.0f} free"
        fix = f"free room on {space.mount}: `sudo du -xhd1 {space.mount}`, or set modelDirectory"
        yield view.fail("disk", message, fix)


def _estimate_gib(handle: str) -> float | None:
    """Its weights; None where nothing is known of it."""
    try:
        model = describe_model(handle, config=None, facts=None, quant=None)
    except InputError:
        return None
    return compute_weights_bytes(model.shape, model.quantisation, WHOLE) / BYTES_PER_GIB


CHECKS = (check_model_room,)
