"""Docker, Swarm and RDMA."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import Finding, Outcome, Skip

FIRST_TOOLKIT = (1, 19)


def toolkit(service: ServiceView) -> Iterator[Outcome]:
    """NVIDIA's container toolkit ignores Swarm's GPU below 1.19 in its default mode.

    `swarm-resource` has no effect with just-in-time CDI, which became the default; the service
    starts without a GPU.
    """
    if service.block.runtime != "swarm":
        return
    for node in service.nodes:
        document = service.context.document(node.name)
        held = document.facts.container_toolkit if document else None
        if held is None:
            reason = f"the container toolkit of {node.name} is not known"
            yield Skip(path=service.path("runtime"), reason=reason)
        elif _version(held.version) < FIRST_TOOLKIT:
            yield Finding(
                path=service.path("runtime"),
                message="The service must have NVIDIA's container toolkit 1.19 or newer for Swarm, "
                f"and {node.name} has {held.version}, which gives it no GPU.",
                remedy="runtime: container  # or sudo apt-get install nvidia-container-toolkit",
            )


def _version(text: str) -> tuple[int, ...]:
    digits = (part for part in text.split("-")[0].split("."))
    return tuple(int(part) for part in digits if part.isdigit())[:2]


def rdma_unproven(service: ServiceView) -> Iterator[Outcome]:
    """Nobody has reported RoCE from a Swarm service on Sparks.

    Swarm passes no devices; the nvidia runtime injects them where NVIDIA_MOFED=enabled, which its
    source says and no Spark has shown. NVIDIA's own playbook left Swarm after reports of slowness.
    `sparkform prove` shows whether it works.
    """
    if service.block.runtime == "swarm" and service.spans_nodes:
        yield Finding(
            path=service.path("runtime"),
            message="The service must prove its RoCE under Swarm by `sparkform prove`, as nobody "
            "has reported it to work.",
            remedy="runtime: container",
        )


def devices(service: ServiceView) -> Iterator[Outcome]:
    """Ranks on several nodes need /dev/infiniband and locked memory in their containers.

    In Swarm the nvidia runtime gives them to a service with NVIDIA_MOFED=enabled, which the launch
    sets; a plain container gets the devices.
    """
    mofed = service.variables.get("NVIDIA_MOFED")
    if service.spans_nodes and service.block.runtime != "native":
        if mofed is not None and mofed.text != "enabled":
            yield Finding(
                path=mofed.path,
                message="The service must get the RDMA devices, which this keeps from it.",
                remedy="# take NVIDIA_MOFED out of environment",
            )
        hidden = service.variables.get("NVIDIA_VISIBLE_DEVICES")
        if hidden is not None and hidden.text in ("void", "none"):
            yield Finding(
                path=hidden.path,
                message="The service must run under the nvidia runtime, which this switches off, "
                "and with it the RDMA devices.",
                remedy="# take NVIDIA_VISIBLE_DEVICES out of environment",
            )


def shared_memory(service: ServiceView) -> Iterator[Outcome]:
    """Recipes give vLLM 10 to 64 GiB of shared memory or the host's; Swarm passes neither.

    With one rank a node little of it is used. NVIDIA's two-node page for TensorRT-LLM sets nothing.
    """
    if service.block.runtime == "swarm" and service.block.engine == "vllm":
        yield Finding(
            path=service.path("runtime"),
            message="The service must be watched for a lack of shared memory, which Swarm cannot "
            "raise for vLLM.",
            remedy="runtime: container",
        )


SERVICE_RULES = {
    "swarm-toolkit": toolkit,
    "swarm-rdma-unproven": rdma_unproven,
    "docker-rdma": devices,
    "docker-shm": shared_memory,
}
