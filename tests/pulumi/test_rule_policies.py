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


def build_program(stack: Path, second: dict[str, object] | None = None, end: str = "") -> str:
    """A program that registers a stack's components with their props and no children."""
    declaration = load_stack(stack)
    name = next(iter(declaration.services))
    service_props = build_service_props(declaration, name, ())
    declared = [
        ["sparkform:index:Rack", "rack", build_rack_props(declaration, ())],
        ["sparkform:index:InferenceService", name, service_props],
    ]
    if second is not None:
        second_service = {**declaration.service_to_plain(name), **second}
        second_props = service_props | {"name": "second", "service": second_service}
        declared.append(["sparkform:index:InferenceService", "second", second_props])
    return PROGRAM.format(declared=json.dumps(declared), end=end)


@pytest.fixture
def project_with_pack(project: Project) -> Project:
    """A project whose pack finds this tree's own packages."""
    project.extra["PYTHONPATH"] = str(ROOT)
    return project


def find_policies(output: str) -> str:
    """What stands under `Policies:`."""
    return output.split("\nPolicies:\n")[1].split("\nDiagnostics:\n")[0]


def join_lines(text: str) -> str:
    return " ".join(text.split())


def run_preview(project: Project, *options: str | Path) -> tuple[int, str]:
    result = project.run("preview", "--policy-pack", PACK, *options)
    return result.returncode, result.stdout


def test_graphs_with_auto_are_refused_with_sentence_and_remedy(project_with_pack: Project) -> None:
    project_with_pack.write_program(build_program(BAD))
    code, output = run_preview(project_with_pack)
    policies = join_lines(find_policies(output))
    assert code != 0
    assert "[mandatory]" in policies
    assert "trt-graph-auto-allreduce" in policies
    assert "CUDA graphs with allReduce AUTO hang or corrupt results on several nodes." in policies
    assert "Set `allReduce: NCCL`." in policies


def test_with_nccl_the_preview_passes(project_with_pack: Project) -> None:
    project_with_pack.write_program(build_program(GOOD))
    code, output = run_preview(project_with_pack)
    assert code == 0, output
    assert "hang or corrupt" not in output
    assert "sparkform@v" in output, "the pack was asked"


def test_a_waiver_shows_its_warning_and_lets_the_preview_pass(
    project_with_pack: Project, tmp_path: Path
) -> None:
    waived = tmp_path / "Pulumi.waived.yaml"
    waiver = "    waive: [{rule: trt-graph-auto-allreduce, reason: We look for a fault.}]"
    waived.write_text(BAD.read_text().replace("    fabric:", f"{waiver}\n    fabric:"))
    project_with_pack.write_program(build_program(waived))
    code, output = run_preview(project_with_pack)
    assert code == 0, output
    policies = join_lines(find_policies(output))
    assert "[advisory]" in policies
    assert "waived-rules" in policies
    assert "(waived: We look for a fault.)" in policies


def test_the_violation_is_shown_when_the_program_registers_and_then_fails(
    project_with_pack: Project,
) -> None:
    project_with_pack.write_program(
        build_program(BAD, end="raise SystemExit('refused by the rules')")
    )
    code, output = run_preview(project_with_pack)
    assert code != 0
    assert "Set `allReduce: NCCL`." in join_lines(find_policies(output))


def test_policy_config_changes_a_rules_weight(project_with_pack: Project, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"trt-graph-auto-allreduce": "advisory"}))
    project_with_pack.write_program(build_program(BAD))
    code, output = run_preview(project_with_pack, "--policy-pack-config", config)
    assert code == 0, output
    assert "hang or corrupt" in join_lines(find_policies(output))


def test_two_services_that_clash_are_refused_by_the_stack_policy(
    project_with_pack: Project,
) -> None:
    project_with_pack.write_program(build_program(GOOD, second={"port": 8356}))
    code, output = run_preview(project_with_pack)
    assert code != 0
    assert "Port 10012 is taken by TensorRT-LLM's launcher of" in join_lines(find_policies(output))
