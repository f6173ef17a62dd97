"""What the step `ready:<service>` waits for, on each node of a service, from its launches. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from node.readiness.want import Want, WantedRank
from sparkform.config import Declaration
from sparkform.fabric.network import Network
from sparkform.launch.paths import get_rank_name, get_unit_name
from sparkform.launch.ports import plan_ports
from sparkform.launch.records import Launch


def build_ready_want(
    declaration: Declaration,
    service: str,
    launches: Sequence[Launch],
    network: Network,
    token: str,
    checked: Mapping[str, Mapping[str, object]],
) -> Want:
    """The same want for every node of the service; each watches its own rank, in every runtime.

    `launches` by rank. `checked` holds the receipts ({"owner", "run"}) of the steps that the
    members came from, by step name.
    """
    service_config = declaration.services[service]
    return Want(
        service=service,
        token=token,
        engine=service_config.engine,
        runtime=service_config.runtime,
        members=tuple(_build_member(launch, network) for launch in launches),
        url=build_api_url(declaration, service, network),
        watch_port=plan_ports(declaration, service).supervisor,
        served_name=declaration.get_served_name(service),
        ready_timeout_s=service_config.ready_timeout_seconds,
        silence_timeout_s=service_config.silence_timeout_seconds,
        key_file=find_key_file(launches[0]),
        over_rdma=uses_rdma(launches),
        checked=dict(checked),
        task=service_config.task,
    )


def build_api_url(declaration: Declaration, service: str, network: Network) -> str:
    """The API as others reach it: on the declared address, or on the head's management address."""
    service_config = declaration.services[service]
    bind = ip_address(service_config.bind)
    head = network.management[declaration.list_service_nodes(service)[0].name].ip
    host = head if bind.is_unspecified else bind
    name = f"[{host}]" if host.version == 6 else str(host)
    return f"http://{name}:{service_config.port}"


def find_key_file(head: Launch) -> str | None:
    """The root-only file on the node of rank 0 that holds the API's key; None where it has none."""
    return next((secret.source for secret in head.secrets if secret.secret == "apiKey"), None)


def uses_rdma(launches: Sequence[Launch]) -> bool:
    """Whether a fall back to sockets is a fault: not where the user has asked for sockets."""
    variables = launches[0].environment
    by_sockets = (
        variables.get("NCCL_IB_DISABLE") == "1" or variables.get("NCCL_NET", "").lower() == "socket"
    )
    return len(launches) > 1 and not by_sockets


def _build_member(launch: Launch, network: Network) -> WantedRank:
    address = str(network.management[launch.node].ip)
    if launch.runtime == "native":
        unit = get_unit_name(launch.service)
        return WantedRank(launch.rank, launch.node, address, unit=unit)
    container = get_rank_name(launch.service, launch.rank)
    return WantedRank(launch.rank, launch.node, address, container=container)
