"""The program: read the declaration, observe, plan, judge, and build the resources."""

from __future__ import annotations

import hashlib

import pulumi

from components.connection import build_connections
from components.docker_hosts import create_docker_providers
from components.inference_service import ServiceContext, build_service
from components.inputs import observe_nodes, read_declaration, read_stack_secrets
from components.judgement import judge_run
from components.rack import build_rack
from sparkform.errors import InputError
from sparkform.plan.outputs import build_outputs
from sparkform.plan.rack import plan_rack
from sparkform.plan.steps import StackName
from sparkform.ssh.agent import build_zipapp, pack_zipapp


def main() -> None:
    config = pulumi.Config("sparkform")
    passphrase, program, secrets = (
        config.get("sshKeyPassphrase"),
        build_zipapp(),
        read_stack_secrets(config),
    )
    declaration = read_declaration(config)
    observation = observe_nodes(declaration, passphrase)
    stack = StackName(pulumi.get_project(), pulumi.get_stack())
    sha256 = hashlib.sha256(program).hexdigest()
    plan = plan_rack(declaration, observation.reports, stack, sha256, secrets)
    verdict = judge_run(declaration, observation.reports, secrets.names, plan)
    connections = build_connections(declaration, observation.nodes, passphrase)
    resources = build_rack(
        verdict.rack, declaration, plan, pack_zipapp(program), connections, config.get_secret
    )
    context = ServiceContext(
        rack=resources,
        head=declaration.head.name,
        owner=f"{stack.project}/{stack.stack}",
        docker=create_docker_providers(
            declaration, observation.nodes, plan.docker_nodes, verdict.rack
        ),
        secret=config.require_secret,
    )
    for name, service in plan.services.items():
        build_service(verdict.services[name], service, context)
    values = build_outputs(
        declaration, plan, observation.reports, verdict.warnings, verdict.figures
    )
    for name, value in values.items():
        pulumi.export(name, value)


try:
    main()
except InputError as error:
    raise pulumi.RunError(str(error)) from None
