"""Docker, Swarm and RDMA."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import RuleFinding, RuleOutcome, RuleSkip
from sparkform.versions import is_at_least

MIN_TOOLKIT = "1.19"
"""Before it `swarm-resource` is ignored in the default mode (nvidia-container-toolkit issue 1599,
fixed by 1600): Swarm then places a task on the GPU and the container gets none."""


def check_toolkit_version(service: ServiceView) -> Iterator[RuleOutcome]:
    """NVIDIA's container toolkit ignores Swarm's GPU below 1.19 in its default mode.

    `swarm-resource` has no effect with just-in-time CDI, which became the default; the service
    starts without a GPU.
    """
    if service.block.runtime != "swarm":
        return
    for node in service.nodes:
        report = service.context.find_report(node.name)
        installed = report.facts.container_toolkit if report else None
        has_swarm_gpus = is_at_least(installed.version, MIN_TOOLKIT) if installed else None
        if installed is None or has_swarm_gpus is None:
            reason = f"the container toolkit of {node.name} is not known"
            yield RuleSkip(path=service.get_path("runtime"), reason=reason)
        elif not has_swarm_gpus:
            yield RuleFinding(
                path=service.get_path("runtime"),
                message=(
                    f"NVIDIA Container Toolkit {installed.version} of {node.name} gives a Swarm "
                    f"service no GPU; {MIN_TOOLKIT} or newer is needed."
                ),
                remedy="runtime: container  # or sudo apt-get install nvidia-container-toolkit",
            )


def check_swarm_rdma(service: ServiceView) -> Iterator[RuleOutcome]:
    """Nobody has reported RoCE from a Swarm service on Sparks.

    Swarm passes no devices; by its source the nvidia runtime injects them where
    NVIDIA_MOFED=enabled. NVIDIA's playbook left Swarm after reports of slowness. `sparkform prove`
    shows whether it works.
    """
    if service.block.runtime == "swarm" and service.spans_nodes:
        yield RuleFinding(
            path=service.get_path("runtime"),
            message="RoCE from a Swarm service is unproven on Sparks.",
            remedy="runtime: container",
        )


def check_rdma_devices(service: ServiceView) -> Iterator[RuleOutcome]:
    """Ranks on several nodes need /dev/infiniband and locked memory in their containers.

    In Swarm the nvidia runtime gives them for NVIDIA_MOFED=enabled, which the launch sets; a plain
    container gets the devices.
    """
    mofed = service.variables.get("NVIDIA_MOFED")
    if service.spans_nodes and service.block.runtime != "native":
        if mofed is not None and mofed.text != "enabled":
            yield RuleFinding(
                path=mofed.path,
                message="NVIDIA_MOFED keeps the RDMA devices from the service.",
                remedy="# take NVIDIA_MOFED out of environment",
            )
        visible_devices = service.variables.get("NVIDIA_VISIBLE_DEVICES")
        if visible_devices is not None and visible_devices.text in ("void", "none"):
            yield RuleFinding(
                path=visible_devices.path,
                message=(
                    "NVIDIA_VISIBLE_DEVICES switches the nvidia runtime off, and with it the "
                    "RDMA devices."
                ),
                remedy="# take NVIDIA_VISIBLE_DEVICES out of environment",
            )


def check_swarm_shared_memory(service: ServiceView) -> Iterator[RuleOutcome]:
    """Recipes give vLLM 10 to 64 GiB of shared memory or the host's; Swarm passes neither.

    With one rank a node little of it is used. NVIDIA's two-node page for TensorRT-LLM sets nothing.
    """
    if service.block.runtime == "swarm" and service.block.engine == "vllm":
        yield RuleFinding(
            path=service.get_path("runtime"),
            message="vLLM can run out of shared memory in Swarm, which cannot raise it.",
            remedy="runtime: container",
        )


SERVICE_RULES = {
    "swarm-toolkit": check_toolkit_version,
    "swarm-rdma-unproven": check_swarm_rdma,
    "docker-rdma": check_rdma_devices,
    "docker-shm": check_swarm_shared_memory,
}
