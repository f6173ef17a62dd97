"""Policy packs under the language host: they block, they pass, and they say why they cannot."""

from __future__ import annotations

import json

import pytest

from pulumi_offline_tests.project import Project

# typer stands for any installed package that is not part of Pulumi.
PACK = """
    import os
    import sys
    import typer
    from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

    print("written to stderr by the pack", file=sys.stderr)

    def judge(args, report):
        print("written to stdout by the pack")
        if args.resource_type == "test:index:Thing" and args.props.get("size") != 1:
            report(f"{typer.__name__} says that the Thing must have size 1 on "
                   f"{os.environ['PULUMI_STACK']}, config {os.environ['PULUMI_CONFIG']}")

    PolicyPack("sizes", enforcement_level=EnforcementLevel.MANDATORY, policies=[
        ResourceValidationPolicy(name="size", description="Things are small.", validate=judge),
    ])
"""


def test_a_violation_blocks_the_preview_and_stands_under_policies(project: Project) -> None:
    project.write_program("Thing('one', size=2)")
    project.run_well("config", "set", "colour", "blue")
    result = project.run("preview", "--policy-pack", project.write_policy_pack(PACK))
    assert result.returncode != 0
    policies = result.stdout.split("\nPolicies:\n")[1].split("\nDiagnostics:\n")[0]
    assert "typer says that the Thing must have size 1 on dev" in policies
    configuration = json.loads(policies.split(", config ")[1].splitlines()[0])
    assert configuration["tiny:colour"] == "blue", "the pack sees the stack's configuration"


def test_the_same_preview_without_the_violation_passes(project: Project) -> None:
    project.write_program("Thing('one', size=1)")
    output = project.run_well("preview", "--policy-pack", project.write_policy_pack(PACK))
    assert "must have size" not in output
    assert "sizes@v" in output, "the pack was asked"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_a_pack_writes_reaches_the_user(project: Project, stream: str) -> None:
    output = project.run_well("preview", "--policy-pack", project.write_policy_pack(PACK))
    assert f"written to {stream} by the pack" in output


def test_a_pack_that_cannot_start_says_why(project: Project) -> None:
    pack = project.write_policy_pack("import no_such_package")
    result = project.run("preview", "--policy-pack", pack)
    assert result.returncode != 0
    assert "No module named 'no_such_package'" in result.stdout
