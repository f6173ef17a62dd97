"""The program: read the declaration, observe, plan, judge, and build the resources."""

from __future__ import annotations

import hashlib
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.connection import build_connections
from components.docker_hosts import create_docker_providers
from components.gateway import RackGateway, build_gateway
from components.inference_service import InferenceService, ServiceContext, build_services
from components.inputs import observe_nodes, read_declaration, read_stack_secrets
from components.judgement import judge_run, require_whole_look
from components.monitoring import RackMonitoring, build_monitoring
from components.rack import Rack, build_rack
from components.run_log import RunLog
from sparkform.config import Declaration
from sparkform.errors import InputError
from sparkform.plan.outputs import GATEWAY_CERTIFICATE, build_outputs, list_service_urls
from sparkform.plan.rack import plan_rack
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.steps import StackName
from sparkform.ssh.agent import build_zipapp, pack_zipapp

EXPLAINED = 32  # by which Pulumi knows that the program has said why it ends


@dataclass(frozen=True)
class RackStack:
    """The components of a stack, for programs that make more than the rack. `urls` is where each
    service is served, by its name."""

    rack: Rack
    services: Mapping[str, InferenceService]
    urls: Mapping[str, str]


def run() -> None:
    """The whole program of a stack: what is wrong is said without a traceback."""
    # Pulumi ends a failed run by SIGINT, and Ctrl-C is one.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        build_stack()
    except (InputError, pulumi.RunError) as error:
        pulumi.log.error(str(error))
        sys.exit(EXPLAINED)


def build_stack() -> RackStack:
    """Register all that the stack's configuration declares. Raises InputError or RunError."""
    config = pulumi.Config("sparkform")
    stack = StackName(pulumi.get_project(), pulumi.get_stack())
    passphrase, secrets = config.get("sshKeyPassphrase"), read_stack_secrets(config)
    declaration = read_declaration(config)
    observation = observe_nodes(declaration, passphrase)
    agent = build_zipapp()
    sha256 = hashlib.sha256(agent).hexdigest()
    plan = plan_rack(declaration, observation.reports, stack, sha256, secrets)
    verdict = judge_run(declaration, observation.reports, secrets.names, plan)
    connections = build_connections(declaration, observation.nodes, passphrase)
    log = RunLog([node.name for node in declaration.nodes], list(declaration.services))
    rack = build_rack(
        verdict.rack, declaration, plan, pack_zipapp(agent), connections, config.get_secret, log
    )
    docker = create_docker_providers(
        declaration, observation.nodes, plan.docker_nodes, verdict.rack
    )
    context = ServiceContext(
        rack,
        declaration.head.name,
        str(stack),
        docker,
        config.require_secret,
        log,
        has_gateway=plan.gateway is not None,
    )
    build_services(verdict.services, plan.services, declaration, context)
    _build_beside(declaration, plan, context, verdict.rack)
    for name, value in build_outputs(declaration, plan).items():
        pulumi.export(name, value)
    log.say([*verdict.warnings, *plan.remarks])
    require_whole_look(plan)
    return RackStack(verdict.rack, verdict.services, list_service_urls(declaration, plan))


def _build_beside(
    declaration: Declaration, plan: RackPlan, context: ServiceContext, parent: Rack
) -> None:
    """What stands beside the services: monitoring and gateway, where they are declared."""
    options = pulumi.ResourceOptions(parent=parent)
    shared = (context.rack, context.docker, context.owner, context.secret)
    if plan.monitoring and declaration.monitoring:
        monitoring = RackMonitoring(declaration.monitoring.to_plain(), options)
        build_monitoring(monitoring, plan.monitoring, *shared)
    if plan.gateway and declaration.gateway:
        gateway = RackGateway(declaration.gateway.to_plain(), options)
        build_gateway(gateway, plan.gateway, *shared)
        if gateway.certificate is not None:
            pulumi.export(GATEWAY_CERTIFICATE, gateway.certificate)
