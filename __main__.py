"""The program: what is declared, what is there, what differs, and the resources that carry it."""

from __future__ import annotations

import hashlib

import pulumi

from components.connection import connections
from components.docker_hosts import docker_providers
from components.inference_service import Ground, build_service
from components.inputs import declared, seen, stack_secrets
from components.judgement import judge
from components.rack import build_rack
from sparkform.errors import InputError
from sparkform.plan.outputs import outputs
from sparkform.plan.rack import plan_rack
from sparkform.plan.steps import StackName
from sparkform.ssh.agent import packed, zipapp


def main() -> None:
    config = pulumi.Config("sparkform")
    passphrase, program, secrets = config.get("sshKeyPassphrase"), zipapp(), stack_secrets(config)
    spec = declared(config)
    found = seen(spec, passphrase)
    stack = StackName(pulumi.get_project(), pulumi.get_stack())
    sha256 = hashlib.sha256(program).hexdigest()
    plan = plan_rack(spec, found.documents, stack, sha256, secrets)
    judged = judge(spec, found.documents, secrets.names, plan)
    reach = connections(spec, found.nodes, passphrase)
    built = build_rack(judged.rack, spec, plan, packed(program), reach, config.get_secret)
    ground = Ground(
        built=built,
        head=spec.head.name,
        owner=f"{stack.project}/{stack.stack}",
        docker=docker_providers(spec, found.nodes, plan.docker_nodes, judged.rack),
        secret=config.require_secret,
    )
    for name, service in plan.services.items():
        build_service(judged.services[name], service, ground)
    told = outputs(spec, plan, found.documents, judged.warnings, judged.figures)
    for name, value in told.items():
        pulumi.export(name, value)


try:
    main()
except InputError as error:
    raise pulumi.RunError(str(error)) from None
