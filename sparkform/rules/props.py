"""The plain props of the components that the rules judge (docs/design/config-and-rules.md).

`sparkform:index:InferenceService`: {name, cluster, service, secrets}; `sparkform:index:Rack`:
{cluster, services, monitoring, secrets}. All plain data under the stack file's own keys, never an
Output. Readers take what Pulumi makes of it: floats, mappings and lists of its own kinds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from sparkform.config import Declaration, parse_config
from sparkform.rules.context import Context

if TYPE_CHECKING:
    from sparkform.fabric.network import Network
    from sparkform.report.facts import NodeReport

SERVICE_TYPE = "sparkform:index:InferenceService"
RACK_TYPE = "sparkform:index:Rack"


def build_service_props(
    declaration: Declaration, service: str, secrets: Collection[str]
) -> dict[str, object]:
    """The props of one service's component. `secrets` are names. Raises KeyError."""
    return {
        "name": service,
        "cluster": declaration.cluster.to_plain(),
        "service": declaration.service_to_plain(service),
        "secrets": sorted(secrets),
    }


def build_rack_props(declaration: Declaration, secrets: Collection[str]) -> dict[str, object]:
    """The props of the rack's component."""
    return {
        "cluster": declaration.cluster.to_plain(),
        "services": {
            name: declaration.service_to_plain(name) for name in declaration.declared_services
        },
        **({"monitoring": declaration.monitoring.to_plain()} if declaration.monitoring else {}),
        "secrets": sorted(secrets),
    }


def read_props(
    type_name: str,
    props: Mapping[str, object],
    reports: Mapping[str, NodeReport] | None = None,
) -> Context:
    """What the rules may look at. Raises InputError for props that declare nothing valid."""
    plain_props = to_plain_props(props)
    services, secrets = plain_props.get("services", {}), plain_props.get("secrets")
    if type_name == SERVICE_TYPE:
        services = {str(plain_props.get("name", "service")): plain_props.get("service")}
    declaration = parse_config(plain_props.get("cluster"), services, plain_props.get("monitoring"))
    return Context(
        declaration=declaration,
        reports=reports,
        network=_plan_network(declaration, reports) if reports else None,
        secrets=frozenset(map(str, secrets)) if isinstance(secrets, list) else frozenset(),
    )


def _plan_network(declaration: Declaration, reports: Mapping[str, NodeReport]) -> Network:
    from sparkform.fabric.network import plan_network

    return plan_network(declaration, reports)[0]


def to_plain_props(props: Mapping[str, object]) -> dict[str, object]:
    """Mappings as dicts and sequences as lists, all the way down."""
    return {str(key): _to_plain(props[key]) for key in props}


def _to_plain(value: object) -> object:
    if isinstance(value, Mapping):
        return to_plain_props(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_to_plain(item) for item in value]
    return value
