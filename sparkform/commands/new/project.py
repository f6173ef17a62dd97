"""The files of a new project: what Pulumi needs, a stack file to fill in, and the rules. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sparkform.config.stack_file import MODELINE

EXAMPLE = "example"
PROGRAM = '''\
"""A rack of DGX Sparks, as Pulumi.STACK.yaml declares it."""
from sparkform_pulumi import run
run()
'''
POLICY_PROGRAM = '''\
"""What is known to break, refused before anything is touched."""
from pulumi_policy import PolicyPack
from policies.pack import POLICIES
PolicyPack("sparkform", policies=list(POLICIES))
'''
RUNTIME = """\
runtime:
  name: python
  options:
    toolchain: pip
    # Where sparkform is installed.
    virtualenv: {environment}
"""
STACK = """\
{modeline}
# Every key: `sparkform init` writes such a file from what your nodes report.
config:
  sparkform:cluster:
    # Login on all nodes; it needs passwordless sudo.
    user: nvidia
    # The first node is the head.
    nodes:
      - name: spark-1
        host: spark-1.local
      - name: spark-2
        host: spark-2.local
    fabric:
      topology: direct
  sparkform:services: {{}}
"""


def render_project(name: str, environment: str) -> Mapping[str, str]:
    """Texts by path. `environment` is the virtual environment that the program runs in."""
    runtime = RUNTIME.format(environment=json.dumps(environment))
    description = "description: A rack of DGX Sparks and the models it serves.\n"
    return {
        "Pulumi.yaml": f"name: {name}\n{description}{runtime}",
        "__main__.py": PROGRAM,
        f"Pulumi.{EXAMPLE}.yaml": STACK.format(modeline=MODELINE),
        "policies/PulumiPolicy.yaml": runtime,
        "policies/__main__.py": POLICY_PROGRAM,
        ".gitignore": ".pulumi-state\nknown_hosts\n",
    }
