"""The program: read the declaration, observe, plan, judge, and build the resources."""

from __future__ import annotations

import signal

# Pulumi ends a failed run by SIGINT, and Ctrl-C is one: end at once, without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

import hashlib
import sys

import pulumi

from components.connection import build_connections
from components.docker_hosts import create_docker_providers
from components.inference_service import ServiceContext, build_services
from components.inputs import observe_nodes, read_declaration, read_stack_secrets
from components.judgement import judge_run, require_whole_look
from components.monitoring import RackMonitoring, build_monitoring
from components.rack import build_rack
from components.run_log import RunLog
from sparkform.errors import InputError
from sparkform.plan.outputs import build_outputs
from sparkform.plan.rack import plan_rack
from sparkform.plan.steps import StackName
from sparkform.ssh.agent import build_zipapp, pack_zipapp

EXPLAINED = 32  # by which Pulumi knows that the program has said why it ends


def main() -> None:
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
        rack, declaration.head.name, str(stack), docker, config.require_secret, log
    )
    build_services(verdict.services, plan.services, declaration, context)
    if plan.monitoring and declaration.monitoring:
        monitoring = RackMonitoring(
            declaration.monitoring.to_plain(), pulumi.ResourceOptions(parent=verdict.rack)
        )
        build_monitoring(
            monitoring, plan.monitoring, rack, docker, str(stack), config.require_secret
        )
    for name, value in build_outputs(declaration, plan).items():
        pulumi.export(name, value)
    log.say([*verdict.warnings, *(plan.monitoring.remarks if plan.monitoring else ())])
    require_whole_look(plan)


try:
    main()
except (InputError, pulumi.RunError) as error:
    pulumi.log.error(str(error))
    sys.exit(EXPLAINED)
