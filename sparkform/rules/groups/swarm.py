"""Docker, Swarm and RDMA."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import RuleFinding, RuleOutcome, RuleSkip

MIN_TOOLKIT = (1, 19)


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
        if installed is None:
            reason = f"the container toolkit of {node.name} is not known"
            yield RuleSkip(path=service.get_path("runtime"), reason=reason)
        elif _parse_version(installed.version) < MIN_TOOLKIT:
            yield RuleFinding(
                path=service.get_path("runtime"),
                message=(
                    f"NVIDIA Container Toolkit {installed.version} of {node.name} gives a Swarm "
                    "service no GPU; 1.19 or newer is needed."
                ),
                remedy="runtime: container  # or sudo apt-get install nvidia-container-toolkit",
            )


def _parse_version(text: str) -> tuple[int, ...]:
    digits = (part for part in text.split("-")[0].split("."))
    return tuple(int(part) for part in digits if part.isdigit())[:2]


def check_swarm_rdma(service: ServiceView) -> Iterator[RuleOutcome]:
    """Nobody has reported RoCE from a Swarm service on Sparks.

    Swarm passes no devices; the nvidia runtime injects them where NVIDIA_MOFED=enabled, which its
    source says and no Spark has shown. NVIDIA's own playbook left Swarm after reports of slowness.
    `sparkform prove` shows whether it works.
    """
    if service.block.runtime == "swarm" and service.spans_nodes:
        yield RuleFinding(
            path=service.get_path("runtime"),
            message="RoCE from a Swarm service is unproven on Sparks.",
            remedy="runtime: container",
        )


def check_rdma_devices(service: ServiceView) -> Iterator[RuleOutcome]:
    """Ranks on several nodes need /dev/infiniband and locked memory in their containers.

    In Swarm the nvidia runtime gives them to a service with NVIDIA_MOFED=enabled, which the launch
    sets; a plain container gets the devices.
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
