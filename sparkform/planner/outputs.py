"""The stack's outputs (docs/architecture.md). Pure."""

from __future__ import annotations

from collections.abc import Sequence

from sparkform.planner.network import Documents
from sparkform.planner.picture import picture
from sparkform.planner.plan import RackPlan
from sparkform.spec import EffectiveNode, Spec


def outputs(
    spec: Spec, plan: RackPlan, documents: Documents, warnings: Sequence[str]
) -> dict[str, object]:
    """`services` and `apiUrl` are empty as long as nothing is served."""
    return {
        "services": {},
        "apiUrl": None,
        "nodes": [_node(node, plan, documents) for node in spec.nodes],
        "topology": picture(spec, plan.network),
        "warnings": list(warnings),
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
