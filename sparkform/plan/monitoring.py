"""What monitors the rack: a collector on each node, files and containers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from node.changes.declared_files import WantedFile, WantedSecret
from node.docker.swarm_certificate import CERTIFICATE
from node.host.addresses import is_loopback
from node.steps import monitoring, telemetry
from node.steps.gateway import TLS
from sparkform.config import Declaration, EffectiveNode, Monitoring
from sparkform.monitoring.containers import ContainerPlan, build_containers
from sparkform.monitoring.files import build_files
from sparkform.monitoring.paths import (
    ALERTMANAGER,
    GRAFANA,
    NODE_EXPORTER,
    PROMETHEUS,
    WEBHOOK_PATH,
    get_container_name,
    get_volume_name,
)
from sparkform.monitoring.scrape import (
    EngineTarget,
    GatewayTarget,
    NodeTarget,
    ScrapeTargets,
    format_host_and_port,
)
from sparkform.plan.context import PlanContext
from sparkform.plan.images import plan_program_image
from sparkform.plan.monitoring_containers import ContainerTrouble, find_troubles
from sparkform.plan.secrets import StackSecrets
from sparkform.plan.steps import PlannedStep, hold_step
from sparkform.plan.transfer import Transfer

WEBHOOK = "monitoringWebhook"
FILE_MODE, SECRET_MODE = "0644", "0600"
IMAGE_PREFIX = "monitoring-"
DOCKER_ROOT = "/var/lib/docker"
SWARM_CERTIFICATE = {"swarm": f"{DOCKER_ROOT}/{CERTIFICATE}"}
"""Of a node in its Swarm: Docker renews it by itself, unless no manager answers."""


@dataclass(frozen=True)
class MonitoringPlan:
    """`telemetry` by node; `images` by `monitoring-PROGRAM`; `files` runs on the monitoring node.
    `remarks`: what is not read, and why; `troubles`: what only somebody can put right."""

    telemetry: Mapping[str, PlannedStep]
    files: PlannedStep
    images: Mapping[str, Transfer]
    containers: tuple[ContainerPlan, ...]
    remarks: tuple[str, ...] = ()
    troubles: tuple[ContainerTrouble, ...] = ()
    secrets: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a run says beside its changes."""
        return (*self.remarks, *map(str, self.troubles))

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        return (*self.telemetry.values(), self.files)


def plan_monitoring(
    context: PlanContext, secrets: StackSecrets, before: Sequence[PlannedStep]
) -> MonitoringPlan | None:
    """None where nothing is monitored. `before`: the steps of the nodes themselves."""
    declared = context.declaration.monitoring
    if declared is None:
        return None
    node = context.declaration.monitoring_node
    targets = build_targets(context, node, WEBHOOK in secrets.names)
    containers = build_containers(declared, targets)
    telemetry_steps = {
        member.name: _plan_telemetry(context, declared, member)
        for member in context.declaration.nodes
    }
    files = _plan_files(context, declared, node, targets)
    return MonitoringPlan(
        telemetry=telemetry_steps,
        files=files,
        images=_plan_images(context, declared, node, targets, before),
        containers=containers,
        remarks=tuple(_list_remarks(context, node)),
        troubles=tuple(find_troubles(containers, telemetry_steps, files, context.reports)),
        secrets=(WEBHOOK,) if targets.has_alertmanager else (),
    )


def build_targets(
    context: PlanContext, node: EffectiveNode, has_alertmanager: bool
) -> ScrapeTargets:
    """Nodes that are away are not watched: their silence is declared."""
    management = context.network.management
    return ScrapeTargets(
        node=node.name,
        nodes=tuple(
            NodeTarget(member.name, str(management[member.name].ip))
            for member in context.declaration.active_nodes
            if member.name in management
        ),
        engines=tuple(
            target
            for service in context.declaration.services
            if (target := _find_engine(context, service, node)) is not None
        ),
        has_alertmanager=has_alertmanager,
        gateway=_find_gateway(context),
    )


def _find_gateway(context: PlanContext) -> GatewayTarget | None:
    declared, node = context.declaration.gateway, context.declaration.gateway_node.name
    address = context.network.management.get(node)
    if declared is None or address is None:
        return None
    return GatewayTarget(node, format_host_and_port(str(address.ip), declared.metrics_port))


def _find_engine(context: PlanContext, service: str, node: EffectiveNode) -> EngineTarget | None:
    """None where the monitoring node cannot reach it."""
    declared = context.declaration.services[service]
    head = context.declaration.list_service_nodes(service)[0]
    if head.name not in context.network.management:
        return None
    is_local = head.name == node.name
    if is_loopback(declared.bind) and not is_local:
        return None
    is_any = declared.bind in ("0.0.0.0", "::")
    host = str(context.network.management[head.name].ip) if is_any else declared.bind
    return EngineTarget(
        service, head.name, declared.engine, format_host_and_port(host, declared.port)
    )


def _list_remarks(context: PlanContext, node: EffectiveNode) -> Iterator[str]:
    declaration = context.declaration
    for service, declared in declaration.services.items():
        head = declaration.list_service_nodes(service)[0]
        if is_loopback(declared.bind) and head.name != node.name:
            yield (
                f"metrics of service {service} are not read: it listens on {declared.bind} of "
                f"{head.name}, and Prometheus runs on {node.name}"
            )


def _plan_telemetry(context: PlanContext, declared: Monitoring, node: EffectiveNode) -> PlannedStep:
    if not context.is_present(node.name):
        return hold_step(node.name, telemetry.SPEC.name)
    want = telemetry.Want(
        interval_s=declared.interval_seconds,
        links=tuple(sorted(link.name for link in context.network.fabric.get(node.name, ()))),
        disks={"models": node.model_directory, "docker": DOCKER_ROOT, "root": "/"},
        container=get_container_name(NODE_EXPORTER),
        certificates=_list_certificates(context.declaration, node.name),
    )
    planned = context.plan_step(node.name, telemetry.SPEC, want)
    return context.hold_unread_network(planned, node.name)


def _list_certificates(declaration: Declaration, node: str) -> dict[str, str]:
    """By whose they are."""
    certificates = dict(SWARM_CERTIFICATE) if declaration.swarm_enabled else {}
    gateway = declaration.gateway
    is_tls = gateway is not None and gateway.tls.certificate != "none"
    if is_tls and declaration.gateway_node.name == node:
        certificates["gateway"] = TLS
    return certificates


def _plan_files(
    context: PlanContext, declared: Monitoring, node: EffectiveNode, targets: ScrapeTargets
) -> PlannedStep:
    if not context.is_present(node.name):
        return hold_step(node.name, monitoring.SPEC.name)
    files = build_files(declared, targets).items()
    webhook = WantedSecret(WEBHOOK, WEBHOOK_PATH, SECRET_MODE)
    readers = (PROMETHEUS, *((ALERTMANAGER,) if targets.has_alertmanager else ()))
    programs = (*readers, *((GRAFANA,) if declared.grafana else ()))
    want = monitoring.Want(
        files=tuple(WantedFile(path, FILE_MODE, text) for path, text in files),
        secrets=(webhook,) if targets.has_alertmanager else (),
        containers=tuple(map(get_container_name, programs)),
        readers=tuple(map(get_container_name, readers)),
        volumes=tuple(map(get_volume_name, programs)),
        keeps_data=declared.keep_data,
    )
    watched = [member.name for member in context.declaration.active_nodes]
    planned = context.plan_step(node.name, monitoring.SPEC, want)
    return context.hold_unread_network(planned, *watched)


def _plan_images(
    context: PlanContext,
    declared: Monitoring,
    node: EffectiveNode,
    targets: ScrapeTargets,
    before: Sequence[PlannedStep],
) -> dict[str, Transfer]:
    """The monitoring node pulls them; the others get node_exporter's from there."""
    others = [member.name for member in context.declaration.nodes if member.name != node.name]
    references = {NODE_EXPORTER: declared.images.node_exporter}
    references[PROMETHEUS] = declared.images.prometheus
    if targets.has_alertmanager:
        references[ALERTMANAGER] = declared.images.alertmanager
    if declared.grafana:
        references[GRAFANA] = declared.images.grafana
    return {
        f"{IMAGE_PREFIX}{program}": plan_program_image(
            context,
            f"{IMAGE_PREFIX}{program}",
            reference,
            (node.name, *(others if program == NODE_EXPORTER else ())),
            before,
        )
        for program, reference in references.items()
    }
