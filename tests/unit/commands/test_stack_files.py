"""The stack files of this repository, planned for Sparks whose facts are constructed.

The plans stand as JSON in tests/data/constructed. `python -m tests.unit.commands.test_stack_files`
writes them anew; what changed in them is then to be read.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sparkform.commands.declared import load_declared_stack
from sparkform.commands.json_output import to_json
from sparkform.commands.plan import command
from sparkform.commands.plan.report import build_report
from sparkform.fabric.network import plan_network
from sparkform.launch.plan import plan_launches
from sparkform.report.recording import load_facts
from tests.support.constructed import FOLDER, MARK, SOURCE_RECORDINGS, render_recording
from tests.support.own_stacks import list_own_stack_files

ROOT = Path(__file__).parents[3]
STACKS = tuple(SOURCE_RECORDINGS)


def get_golden_path(stack: str) -> Path:
    return FOLDER / f"{stack}.plan.json"


def plan_stack_file(stack: str) -> dict[str, Any]:
    """What `sparkform plan` says, and each service's launches."""
    declared = load_declared_stack(ROOT / f"Pulumi.{stack}.yaml")
    observation = load_facts(FOLDER / f"{stack}.json")
    plan_report: Any = to_json(build_report(command.plan_stack(declared, observation)))
    network, problems = plan_network(declared.declaration, observation.reports)
    launches = plan_launches(declared.declaration, network, observation.reports)
    assert not [*problems, *launches.problems]
    services = {name: [asdict(rank) for rank in ranks] for name, ranks in launches.services.items()}
    return json.loads(json.dumps({**plan_report, "launches": services}))  # type: ignore[no-any-return]


def render_plan(stack: str) -> str:
    return json.dumps(plan_stack_file(stack), indent=1, ensure_ascii=False) + "\n"


def test_every_stack_file_has_constructed_facts() -> None:
    assert list_own_stack_files() == {f"Pulumi.{stack}.yaml" for stack in STACKS}


def test_a_users_stack_file_beside_them_is_nobody_elses() -> None:
    """The control: git ignores it, so it is no file of the repository."""
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert "/Pulumi.*.yaml" in ignored
    assert "Pulumi.home.yaml" not in list_own_stack_files()


@pytest.mark.parametrize("stack", STACKS)
def test_the_constructed_facts_are_what_the_command_writes_and_say_what_they_are(stack) -> None:
    written_facts = (FOLDER / f"{stack}.json").read_text()
    assert written_facts == render_recording(stack), "run `python -m tests.support.constructed`"
    assert json.loads(written_facts)["constructed"] == MARK


@pytest.mark.parametrize("stack", STACKS)
def test_the_plan_is_the_golden_one(stack) -> None:
    assert render_plan(stack) == get_golden_path(stack).read_text(), (
        "read what changed, then write it anew"
    )


@pytest.mark.parametrize("stack", STACKS)
def test_no_rule_refuses_the_stack_on_these_machines(stack) -> None:
    severities = {violation["severity"] for violation in plan_stack_file(stack)["violations"]}
    assert severities <= {"advisory"}


def test_a_changed_value_in_a_stack_file_changes_the_plan(tmp_path) -> None:
    """The control: the comparison sees one address."""
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    changed = (ROOT / "Pulumi.spark.yaml").read_text().replace("index: 1", "index: 5")
    file = tmp_path / "Pulumi.spark.yaml"
    file.write_text(changed)
    declared, observation = load_declared_stack(file), load_facts(FOLDER / "spark.json")
    plan_report: Any = to_json(build_report(command.plan_stack(declared, observation)))
    assert json.loads(get_golden_path("spark").read_text())["nodes"] != plan_report["nodes"]


if __name__ == "__main__":
    for each in STACKS:
        get_golden_path(each).write_text(render_plan(each))
