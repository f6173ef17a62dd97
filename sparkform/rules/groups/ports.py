"""Ports that engines open beside their API, on a network that all share."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import Context, ServiceView
from sparkform.rules.outcome import Finding, Outcome

# NVIDIA/dgx-spark-playbooks, vllm and trt-llm: what opens them on nodes that a service shares.
MASTER_PORT = 29501
RAY_PORTS = {6379: "Ray", 8265: "Ray's dashboard"}
TRTLLM_PORTS = {2233: "the container's SSH server", 10012: "TensorRT-LLM's launcher"}


def inner_ports(service: ServiceView) -> dict[int, str]:
    """The ports that a service opens beside its API, with what opens them."""
    if not service.spans_nodes:
        return {}
    if service.block.engine == "trtllm":
        return TRTLLM_PORTS
    if service.settings.text("launcher") == "ray":
        return RAY_PORTS
    return {service.settings.whole("master_port") or MASTER_PORT: "vLLM's group"}


def clashes(context: Context) -> Iterator[Outcome]:
    """Engines on the host's network open more ports than the API's, and two cannot have one.

    Two groups of vLLM on the same nodes need two master ports; an API port must be none of those.
    """
    views = context.services
    for at, service in enumerate(views):
        own = {node.name for node in service.nodes}
        for other in views:
            if not own & {node.name for node in other.nodes}:
                continue
            inner = inner_ports(other)
            api = service.settings.whole("port")
            if api in inner:
                yield Finding(
                    path=service.settings.place("port"),
                    message=f"The service must have a port of its own, and {api} is "
                    f"{inner[api]} of {other.name}.",
                    remedy="port: 8000",
                )
        for other in views[:at]:
            shared = own & {node.name for node in other.nodes}
            both = sorted(set(inner_ports(service)) & set(inner_ports(other))) if shared else []
            if both:
                yield Finding(
                    path=service.settings.place("master_port"),
                    message=f"The service must not open port {both[0]} on nodes where "
                    f"{other.name} has it for {inner_ports(other)[both[0]]}.",
                    remedy='extraArgs: ["--master-port", "29502"]',
                )


STACK_RULES = {"ports": clashes}
