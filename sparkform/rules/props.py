"""The plain props of the components that the rules judge (docs/design/config-and-rules.md).

`sparkform:index:InferenceService`: {name, cluster, service, secrets}; `sparkform:index:Rack`:
{cluster, services, secrets}. All plain data under the stack file's own keys, never an Output.
Readers take what Pulumi makes of it: numbers as floats, mappings and lists of its own kinds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparkform.config import Spec, parse_config
from sparkform.rules.context import Context

if TYPE_CHECKING:
    from sparkform.report.facts import NodeDocument

SERVICE_TYPE = "sparkform:index:InferenceService"
RACK_TYPE = "sparkform:index:Rack"


def service_props(spec: Spec, service: str, secrets: Collection[str]) -> dict[str, Any]:
    """The props of one service's component. `secrets` are names. Raises KeyError."""
    return {
        "name": service,
        "cluster": spec.cluster.plain(),
        "service": spec.plain_service(service),
        "secrets": sorted(secrets),
    }


def rack_props(spec: Spec, secrets: Collection[str]) -> dict[str, Any]:
    """The props of the rack's component."""
    return {
        "cluster": spec.cluster.plain(),
        "services": {name: spec.plain_service(name) for name in spec.services},
        "secrets": sorted(secrets),
    }


def read_props(
    type_name: str,
    props: Mapping[str, Any],
    documents: Mapping[str, NodeDocument] | None = None,
) -> Context:
    """What the rules may look at. Raises InputError for props that declare nothing valid."""
    given = plain(props)
    services = given.get("services", {})
    if type_name == SERVICE_TYPE:
        services = {str(given.get("name", "service")): given.get("service")}
    return Context(
        spec=parse_config(given.get("cluster"), services),
        documents=documents,
        secrets=frozenset(given.get("secrets", ())),
    )


def plain(props: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings as dicts and sequences as lists, all the way down."""
    return {str(key): _plain(props[key]) for key in props}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return plain(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
