"""Ports that engines open beside their API, on a network that all share."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.launch.ports import ServicePorts, plan_ports
from sparkform.rules.context import Context, ServiceView
from sparkform.rules.outcome import RuleFinding, RuleOutcome

# NVIDIA/dgx-spark-playbooks, vllm and trt-llm: what opens them on nodes that a service shares.
RAY_PORTS = {6379: "Ray", 8265: "Ray's dashboard"}
LAUNCHER_PORT = 10012


def list_inner_ports(service: ServiceView) -> dict[int, str]:
    """The ports that a service opens beside its API, with what opens them."""
    ports = plan_ports(service.context.declaration, service.name)
    return {ports.supervisor: "the supervisor", **_list_engine_ports(service, ports)}


def _list_engine_ports(service: ServiceView, ports: ServicePorts) -> dict[int, str]:
    if not service.spans_nodes:
        return {}
    if service.block.engine == "trtllm":
        return {
            ports.launch_ssh: "the container's SSH server",
            LAUNCHER_PORT: "TensorRT-LLM's launcher",
        }
    if service.settings.get_text("launcher") == "ray":
        return RAY_PORTS
    copies = {ports.data_parallel: "vLLM's copies"} if service.block.data_parallel > 1 else {}
    return {service.settings.get_integer("master_port") or ports.master: "vLLM's group", **copies}


def check_port_clashes(context: Context) -> Iterator[RuleOutcome]:
    """Engines on the host's network open more ports than the API's, and two cannot have one.

    vLLM's and the SSH server's are planned, another one for each service of a node; Ray's and those
    of TensorRT-LLM's launcher are fixed, so that one service of a node can have them.
    """
    services = context.services
    for position, service in enumerate(services):
        node_names = {node.name for node in service.nodes}
        for other_service in services:
            if not node_names & {node.name for node in other_service.nodes}:
                continue
            inner_ports = list_inner_ports(other_service)
            api = service.settings.get_integer("port")
            if api in inner_ports:
                yield RuleFinding(
                    path=service.settings.get_path("port"),
                    message=f"Port {api} is taken by {inner_ports[api]} of {other_service.name}.",
                    remedy="port: 8000",
                )
        for other_service in services[:position]:
            shared_nodes = node_names & {node.name for node in other_service.nodes}
            shared_ports = (
                sorted(set(list_inner_ports(service)) & set(list_inner_ports(other_service)))
                if shared_nodes
                else []
            )
            if shared_ports:
                yield RuleFinding(
                    path=service.get_path("nodes"),
                    message=(
                        f"Port {shared_ports[0]} is taken by "
                        f"{list_inner_ports(other_service)[shared_ports[0]]} of "
                        f"{other_service.name}."
                    ),
                    remedy="nodes: [other nodes]  # or launcher: mp, where it is Ray",
                )


STACK_RULES = {"ports": check_port_clashes}
