"""The stack's outputs (docs/architecture.md). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sparkform.config import Declaration, EffectiveNode
from sparkform.fabric.network import Reports
from sparkform.plan.mermaid import render_topology
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.readiness import build_api_url

API = "/v1"
"""Where both engines serve OpenAI's API."""


def build_outputs(
    declaration: Declaration,
    plan: RackPlan,
    reports: Reports,
    warnings: Sequence[str],
    predicted: Mapping[str, Mapping[str, object]],
) -> dict[str, object]:
    """`apiUrl` is that of the first service; null where nothing is served. `predicted` holds what
    is known ahead of each service's memory and speed."""
    services = {
        name: _build_service_output(name, declaration, plan, predicted.get(name, {}))
        for name in plan.services
    }
    return {
        "services": services,
        "apiUrl": next((service_output["apiUrl"] for service_output in services.values()), None),
        "nodes": [_build_node_output(node, plan, reports) for node in declaration.nodes],
        "topology": render_topology(declaration, plan.network),
        "warnings": [*warnings, *plan.unknown_lines],
    }


def _build_service_output(
    name: str, declaration: Declaration, plan: RackPlan, predicted: Mapping[str, object]
) -> dict[str, object]:
    service, base = declaration.services[name], build_api_url(declaration, name, plan.network) + API
    return {
        "apiUrl": base,
        "modelsUrl": f"{base}/models",
        "servedName": declaration.get_served_name(name),
        "engine": service.engine,
        "runtime": service.runtime,
        "image": service.image,
        "nodes": [launch.node for launch in plan.services[name].launches],
        "parallelism": {
            "tensorParallel": service.tensor_parallel,
            "pipelineParallel": service.pipeline_parallel,
            "dataParallel": service.data_parallel,
        },
        "predicted": dict(predicted),
    }


def _build_node_output(node: EffectiveNode, plan: RackPlan, reports: Reports) -> dict[str, object]:
    management = plan.network.management.get(node.name)
    report = reports.get(node.name)
    gpus = report.facts.gpu.gpus if report and report.facts.gpu else ()
    return {
        "name": node.name,
        "role": "head" if node.is_head else "worker",
        "managementAddress": str(management.ip) if management else None,
        "fabricAddresses": [
            str(interface.planned.address) for interface in plan.network.fabric.get(node.name, ())
        ],
        "gpu": gpus[0].name if gpus else None,
        "away": node.away,
    }
