"""The stack's outputs (docs/architecture.md). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sparkform.config import EffectiveNode, Spec
from sparkform.fabric.network import Documents
from sparkform.plan.mermaid import picture
from sparkform.plan.rack import RackPlan
from sparkform.plan.readiness import api_url

API = "/v1"
"""Where both engines serve OpenAI's API."""


def outputs(
    spec: Spec,
    plan: RackPlan,
    documents: Documents,
    warnings: Sequence[str],
    predicted: Mapping[str, Mapping[str, object]],
) -> dict[str, object]:
    """`apiUrl` is that of the first service; null where nothing is served. `predicted` holds what
    is known ahead of each service's memory and speed."""
    services = {name: _service(name, spec, plan, predicted.get(name, {})) for name in plan.services}
    return {
        "services": services,
        "apiUrl": next((one["apiUrl"] for one in services.values()), None),
        "nodes": [_node(node, plan, documents) for node in spec.nodes],
        "topology": picture(spec, plan.network),
        "warnings": list(warnings),
    }


def _service(
    name: str, spec: Spec, plan: RackPlan, predicted: Mapping[str, object]
) -> dict[str, object]:
    declared, base = spec.services[name], api_url(spec, name, plan.network) + API
    return {
        "apiUrl": base,
        "modelsUrl": f"{base}/models",
        "servedName": spec.served_name(name),
        "engine": declared.engine,
        "runtime": declared.runtime,
        "image": declared.image,
        "nodes": [one.node for one in plan.services[name].launches],
        "parallelism": {
            "tensorParallel": declared.tensor_parallel,
            "pipelineParallel": declared.pipeline_parallel,
            "dataParallel": declared.data_parallel,
        },
        "predicted": dict(predicted),
    }


def _node(node: EffectiveNode, plan: RackPlan, documents: Documents) -> dict[str, object]:
    management = plan.network.management.get(node.name)
    document = documents.get(node.name)
    gpus = document.facts.gpu.gpus if document and document.facts.gpu else ()
    return {
        "name": node.name,
        "role": "head" if node.is_head else "worker",
        "managementAddress": str(management.ip) if management else None,
        "fabricAddresses": [
            str(one.planned.address) for one in plan.network.fabric.get(node.name, ())
        ],
        "gpu": gpus[0].name if gpus else None,
        "away": node.away,
    }
