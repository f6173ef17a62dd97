"""The policy pack with the real engine, on a program that has no rules of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pulumi_offline_tests.project import ROOT, Project
from sparkform.config import load_stack
from sparkform.rules.props import build_rack_props, build_service_props

DATA = ROOT / "tests" / "data"
PACK = ROOT / "policies"
GOOD = DATA / "good" / "trtllm-two-nodes.yaml"
BAD = DATA / "dangerous" / "trt-graphs-with-auto.yaml"

PROGRAM = """
import json
import pulumi

class Component(pulumi.ComponentResource):
    def __init__(self, token, name, props):
        super().__init__(token, name, props)
        self.register_outputs(props)

for token, name, props in json.loads({declared!r}):
    Component(token, name, props)
{end}
"""


def program(stack: Path, second: dict[str, object] | None = None, end: str = "") -> str:
    """A program that registers a stack's components with their props and no children."""
    spec = load_stack(stack)
    name = next(iter(spec.services))
    first = build_service_props(spec, name, ())
    declared = [
        ["sparkform:index:Rack", "rack", build_rack_props(spec, ())],
        ["sparkform:index:InferenceService", name, first],
    ]
    if second is not None:
        other = first | {"name": "second", "service": first["service"] | second}
        declared.append(["sparkform:index:InferenceService", "second", other])
    return PROGRAM.format(declared=json.dumps(declared), end=end)


@pytest.fixture
def checked(project: Project) -> Project:
    """A project whose pack finds this tree's own packages."""
    project.extra["PYTHONPATH"] = str(ROOT)
    return project


def policies_of(said: str) -> str:
    """What stands under `Policies:`."""
    return said.split("\nPolicies:\n")[1].split("\nDiagnostics:\n")[0]


def flat(text: str) -> str:
    return " ".join(text.split())


def preview(project: Project, *options: str | Path) -> tuple[int, str]:
    done = project.run("preview", "--policy-pack", PACK, *options)
    return done.returncode, done.stdout


def test_graphs_with_auto_are_refused_with_sentence_and_remedy(checked: Project) -> None:
    checked.program(program(BAD))
    code, said = preview(checked)
    told = flat(policies_of(said))
    assert code != 0
    assert "[mandatory]" in told
    assert "trt-graph-auto-allreduce" in told
    assert "CUDA graphs with allReduce AUTO hang or corrupt results on several nodes." in told
    assert "Set `allReduce: NCCL`." in told


def test_with_nccl_the_preview_passes(checked: Project) -> None:
    checked.program(program(GOOD))
    code, said = preview(checked)
    assert code == 0, said
    assert "hang or corrupt" not in said
    assert "sparkform@v" in said, "the pack was asked"


def test_a_waiver_shows_its_warning_and_lets_the_preview_pass(
    checked: Project, tmp_path: Path
) -> None:
    waived = tmp_path / "Pulumi.waived.yaml"
    waiver = "    waive: [{rule: trt-graph-auto-allreduce, reason: We look for a fault.}]"
    waived.write_text(BAD.read_text().replace("    fabric:", f"{waiver}\n    fabric:"))
    checked.program(program(waived))
    code, said = preview(checked)
    assert code == 0, said
    told = flat(policies_of(said))
    assert "[advisory]" in told
    assert "waived-rules" in told
    assert "(waived: We look for a fault.)" in told


def test_the_violation_is_shown_when_the_program_registers_and_then_fails(
    checked: Project,
) -> None:
    checked.program(program(BAD, end="raise SystemExit('refused by the rules')"))
    code, said = preview(checked)
    assert code != 0
    assert "Set `allReduce: NCCL`." in flat(policies_of(said))


def test_policy_config_changes_a_rules_weight(checked: Project, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"trt-graph-auto-allreduce": "advisory"}))
    checked.program(program(BAD))
    code, said = preview(checked, "--policy-pack-config", config)
    assert code == 0, said
    assert "hang or corrupt" in flat(policies_of(said))


def test_two_services_that_clash_are_refused_by_the_stack_policy(checked: Project) -> None:
    checked.program(program(GOOD, second={"port": 8356}))
    code, said = preview(checked)
    assert code != 0
    assert "Port 2233 is taken by the container's SSH server of" in flat(policies_of(said))
