"""The program: what is declared, what is there, what differs, and the resources that carry it."""

from __future__ import annotations

import hashlib

import pulumi

from components.connection import connection
from components.inputs import declared, seen
from components.rack import build_rack
from sparkform.errors import InputError
from sparkform.facts.program import packed, zipapp
from sparkform.planner.outputs import outputs
from sparkform.planner.plan import plan_rack
from sparkform.planner.steps import StackName
from sparkform.planner.targets import target


def main() -> None:
    config = pulumi.Config("sparkform")
    passphrase, program = config.get("sshKeyPassphrase"), zipapp()
    spec = declared(config)
    found = seen(spec, passphrase)
    stack = StackName(pulumi.get_project(), pulumi.get_stack())
    plan = plan_rack(spec, found.documents, stack, hashlib.sha256(program).hexdigest())
    if plan.problems:
        raise InputError(plan.problems)
    host_keys = {name: report.host_key for name, report in found.nodes.items()}
    reach = {
        node.name: connection(target(spec, node, passphrase), host_keys) for node in spec.nodes
    }
    build_rack(spec, plan, packed(program), reach)
    for name, value in outputs(spec, plan, found.documents).items():
        pulumi.export(name, value)


try:
    main()
except InputError as error:
    raise pulumi.RunError(str(error)) from None
