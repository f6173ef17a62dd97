"""The one address of all services: routes, files, certificate and containers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from node.changes.declared_files import WantedFile
from node.gateway.certificate import render_extensions
from node.host.addresses import is_loopback
from node.host.paths import GATEWAY
from node.images.reference import to_local_name
from node.steps import gateway, gateway_ca
from sparkform.config import AnyService, Declaration, EffectiveNode, Gateway
from sparkform.config.checks.gateway import IMAGE
from sparkform.gateway.files import build_files, name_host
from sparkform.gateway.paths import CONFIG, PROGRAMS, get_container_name
from sparkform.gateway.routes import Agent, EngineEndpoint, GatewaySetup, Listen, ModelRoute
from sparkform.launch.ports import plan_ports
from sparkform.monitoring.containers import ROOT_USER, BindMount, ContainerPlan
from sparkform.plan.context import PlanContext
from sparkform.plan.gateway_problems import KEYS
from sparkform.plan.images import plan_program_image
from sparkform.plan.secrets import StackSecrets
from sparkform.plan.steps import PlannedStep
from sparkform.plan.transfer import Transfer

API_KEY = "apiKey"
FILE_MODE = "0644"
ANY = ("0.0.0.0", "::")


@dataclass(frozen=True)
class GatewayPlan:
    """All of it runs on the node of `files`. `url`: without a path. `authority`: the step that
    prints the private CA's certificate; None where there is none. `remarks`: what stays open."""

    url: str
    files: PlannedStep
    image: Transfer
    containers: tuple[ContainerPlan, ...]
    secrets: tuple[str, ...]
    authority: PlannedStep | None = None
    remarks: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        return (self.files, *((self.authority,) if self.authority else ()))

    @property
    def images(self) -> Mapping[str, Transfer]:
        return {IMAGE: self.image}


def plan_gateway(
    context: PlanContext, secrets: StackSecrets, before: Sequence[PlannedStep]
) -> GatewayPlan | None:
    """None where none is declared. `before`: the steps of the nodes themselves."""
    declared, node = context.declaration.gateway, context.declaration.gateway_node
    if declared is None or not context.is_present(node.name):
        return None
    setup = build_setup(context, declared, API_KEY in secrets.names)
    files = _describe_change(_plan_files(context, declared, setup), declared, setup)
    return GatewayPlan(
        url=build_gateway_url(context, declared),
        files=files,
        image=plan_program_image(context, IMAGE, declared.image, (node.name,), before),
        containers=tuple(_build_container(declared, node.name, name) for name in PROGRAMS),
        secrets=_list_secrets(declared, setup),
        authority=_plan_authority(context, declared, files),
        remarks=tuple(_list_remarks(context, declared, setup)),
    )


def build_gateway_url(context: PlanContext, declared: Gateway) -> str:
    """On the declared address, or on the node's management address."""
    management = context.network.management[context.declaration.gateway_node.name].ip
    host = str(management) if declared.address in ANY else declared.address
    scheme = "http" if declared.tls.certificate == "none" else "https"
    return f"{scheme}://{name_host(host)}:{declared.port}"


def build_setup(context: PlanContext, declared: Gateway, has_engine_key: bool) -> GatewaySetup:
    """Metrics are on the management address, for the node that monitors."""
    declaration, management = context.declaration, context.network.management
    host = str(management[declaration.gateway_node.name].ip)
    watching = management.get(declaration.monitoring_node.name)
    is_read = declaration.monitoring is not None and watching is not None
    return GatewaySetup(
        routes=tuple(
            ModelRoute(
                name=service,
                served_name=declaration.get_served_name(service),
                endpoints=tuple(
                    endpoint
                    for group in declaration.list_groups(service)
                    for endpoint in _list_endpoints(context, group)
                ),
                further_names=tuple(_list_adapters(block)),
            )
            for service, block in declaration.declared_services.items()
        ),
        listen=Listen(declared.address, declared.port),
        metrics=Listen(host, declared.metrics_port),
        is_tls=declared.tls.certificate != "none",
        has_engine_key=has_engine_key,
        limits=declared.limits,
        aliases=declared.aliases,
        readers=(str(watching.ip),) if is_read and watching else (),
    )


def _list_adapters(block: AnyService) -> list[str]:
    return [adapter.name for adapter in getattr(block, "adapters", ())]


def _list_endpoints(context: PlanContext, service: str) -> Iterator[EngineEndpoint]:
    """None while the node of rank 0 is away: its model is declared, and does not answer."""
    block = context.declaration.services[service]
    address = context.network.management.get(_get_first_node(context.declaration, service))
    if address is not None:
        host = str(address.ip) if block.bind in ANY else block.bind
        port = plan_ports(context.declaration, service).supervisor
        yield EngineEndpoint(host, block.port, Agent(str(address.ip), port))


def _get_first_node(declaration: Declaration, service: str) -> str:
    return declaration.list_service_nodes(service)[0].name


def _plan_files(context: PlanContext, declared: Gateway, setup: GatewaySetup) -> PlannedStep:
    node = context.declaration.gateway_node
    texts = build_files(setup)
    if declared.tls.certificate == "made":
        names = _list_certificate_names(context, declared, node)
        texts[gateway.EXTENSIONS.removeprefix(f"{GATEWAY}/")] = render_extensions(names)
    want = gateway.Want(
        node=node.name,
        files=tuple(
            WantedFile(f"{GATEWAY}/{path}", FILE_MODE, text) for path, text in texts.items()
        ),
        # The edge last: it goes on to the routers.
        containers=tuple(get_container_name(name) for name in reversed(PROGRAMS)),
        certificate=declared.tls.certificate,
        has_engine_key=setup.has_engine_key,
    )
    return context.plan_step(node.name, gateway.SPEC, want)


def _list_certificate_names(
    context: PlanContext, declared: Gateway, node: EffectiveNode
) -> list[str]:
    """By which clients may know it, each once."""
    names = [node.name, node.host, str(context.network.management[node.name].ip)]
    address = [] if declared.address in ANY else [declared.address]
    return list(dict.fromkeys([*names, *address, *declared.tls.names, "localhost"]))


def _plan_authority(
    context: PlanContext, declared: Gateway, files: PlannedStep
) -> PlannedStep | None:
    if declared.tls.certificate != "made":
        return None
    want = gateway_ca.Want(files.decision.run)
    return context.plan_step(files.node, gateway_ca.SPEC, want, before=[files])


def _list_secrets(declared: Gateway, setup: GatewaySetup) -> tuple[str, ...]:
    certificate = gateway.OWN_SECRETS if declared.tls.certificate == "own" else ()
    return (KEYS, *((API_KEY,) if setup.has_engine_key else ()), *certificate)


def _build_container(declared: Gateway, node: str, program: str) -> ContainerPlan:
    """Root opens ports and reads secrets, and then is no user of the node. Folders are mounted,
    never single files: a file that is replaced has another inode."""
    return ContainerPlan(
        program=program,
        node=node,
        image=to_local_name(declared.image),
        command=("haproxy", "-W", "-db", "-f", f"{CONFIG}/{program}.cfg"),
        mounts=(
            BindMount(GATEWAY, CONFIG),
            BindMount(gateway.SOCKETS, f"{CONFIG}/run", is_read_only=False),
        ),
        user=ROOT_USER,
    )


def _describe_change(step: PlannedStep, declared: Gateway, setup: GatewaySetup) -> PlannedStep:
    """With what clients will notice."""
    if not step.is_changing or not isinstance(step.have, gateway.Have):
        return step
    if all(state.mode is None for state in step.have.files):
        count = len(setup.routes)
        notice = f"clients reach {count} service{'' if count == 1 else 's'} by one address and key"
    else:
        notice = (
            "no connection is dropped; requests under way, also with a key that is removed, go on "
            f"for at most {declared.limits.drain_seconds} s"
        )
    return replace(step, lines=(*step.lines, f"{step.node} {step.step}: {notice}"))


def _list_remarks(context: PlanContext, declared: Gateway, setup: GatewaySetup) -> Iterator[str]:
    if declared.tls.certificate == "none" and not is_loopback(declared.address):
        yield (
            f"gateway: keys and prompts travel in clear at {declared.address}:{declared.port}, "
            "because tls.certificate is none"
        )
    for name, service in context.declaration.services.items():
        for endpoint in () if is_loopback(service.bind) else _list_endpoints(context, name):
            yield _describe_open_port(name, service, endpoint, setup.has_engine_key)
    yield from _find_replacement(context, declared)


def _describe_open_port(
    name: str, service: AnyService, endpoint: EngineEndpoint, has_engine_key: bool
) -> str:
    is_asked = has_engine_key and service.engine == "vllm"
    key = "with the stack's apiKey" if is_asked else "without a key"
    return (
        f"gateway: service {name} is also reached past it, at {name_host(endpoint.address)}:"
        f"{service.port} {key}; close that port to others by a firewall"
    )


def _find_replacement(context: PlanContext, declared: Gateway) -> Iterator[str]:
    """Containers of another image are replaced, which no connection outlives."""
    node, image = context.declaration.gateway_node.name, to_local_name(declared.image)
    names = list(map(get_container_name, PROGRAMS))
    running = [
        container
        for container in context.reports[node].facts.containers or ()
        if container.name in names and container.image != image
    ]
    if running:
        yield f"gateway: {len(running)} containers are replaced, and connections under way end"
