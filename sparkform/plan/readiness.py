"""What the step `ready:<service>` waits for, on each node of a service, from its launches. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from sparkform.config import Spec
from sparkform.fabric.network import Network
from sparkform.launch.places import unit_name
from sparkform.launch.records import Launch

Want = Mapping[str, Any]


def ready_want(
    spec: Spec,
    service: str,
    launches: Sequence[Launch],
    network: Network,
    token: str,
    checked: Mapping[str, Want],
) -> Want:
    """The same want for every node of the service; each watches its own rank, in every runtime.

    `launches` by rank. `checked` holds the receipts ({"owner", "run"}) of the steps that the
    members came from, by step name.
    """
    declared = spec.services[service]
    return {
        "service": service,
        "token": token,
        "engine": declared.engine,
        "runtime": declared.runtime,
        "members": [_member(one, network) for one in launches],
        "url": api_url(spec, service, network),
        "served_name": spec.served_name(service),
        "ready_timeout_s": declared.ready_timeout_seconds,
        "silence_timeout_s": declared.silence_timeout_seconds,
        "key_file": key_file(launches[0]),
        "over_rdma": talks_over_rdma(launches),
        "checked": dict(checked),
    }


def api_url(spec: Spec, service: str, network: Network) -> str:
    """The API as others reach it: on the declared address, or on the head's management address."""
    declared = spec.services[service]
    bind = ip_address(declared.bind)
    head = network.management[spec.service_nodes(service)[0].name].ip
    host = head if bind.is_unspecified else bind
    name = f"[{host}]" if host.version == 6 else str(host)
    return f"http://{name}:{declared.port}"


def key_file(head: Launch) -> str | None:
    """The root-only file on the node of rank 0 that holds the API's key; None where it has none."""
    return next((one.source for one in head.secrets if one.secret == "apiKey"), None)


def talks_over_rdma(launches: Sequence[Launch]) -> bool:
    """Whether a fall back to sockets is a fault: not where the user has asked for sockets."""
    variables = launches[0].environment
    by_sockets = (
        variables.get("NCCL_IB_DISABLE") == "1" or variables.get("NCCL_NET", "").lower() == "socket"
    )
    return len(launches) > 1 and not by_sockets


def _member(launch: Launch, network: Network) -> Want:
    address = str(network.management[launch.node].ip)
    own = {"rank": launch.rank, "node": launch.node, "management_address": address}
    if launch.runtime == "native":
        return {**own, "unit": unit_name(launch.service)}
    return {**own, "container": f"sparkform-{launch.name}"}
