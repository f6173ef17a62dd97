"""The program: what is declared, what is there, what differs, and the resources that carry it."""

from __future__ import annotations

import hashlib

import pulumi

from components.connection import connections
from components.inputs import declared, secret_names, seen
from components.judgement import judge
from components.rack import build_rack
from sparkform.errors import InputError
from sparkform.facts.program import packed, zipapp
from sparkform.planner.outputs import outputs
from sparkform.planner.plan import plan_rack
from sparkform.planner.steps import StackName


def main() -> None:
    config = pulumi.Config("sparkform")
    passphrase, program = config.get("sshKeyPassphrase"), zipapp()
    spec = declared(config)
    found = seen(spec, passphrase)
    stack = StackName(pulumi.get_project(), pulumi.get_stack())
    plan = plan_rack(spec, found.documents, stack, hashlib.sha256(program).hexdigest())
    judged = judge(spec, found.documents, secret_names(), plan.problems)
    reached = connections(spec, found.nodes, passphrase)
    build_rack(judged.rack, spec, plan, packed(program), reached, config.get_secret)
    for name, value in outputs(spec, plan, found.documents, judged.warnings).items():
        pulumi.export(name, value)


try:
    main()
except InputError as error:
    raise pulumi.RunError(str(error)) from None
