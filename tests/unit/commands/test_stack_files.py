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

from sparkform.commands.declared import load
from sparkform.commands.plan import command
from sparkform.commands.plan.report import report
from sparkform.fabric.network import plan_network
from sparkform.launch.plan import plan_launches
from sparkform.report.recording import load_facts
from tests.support.constructed import FOLDER, FROM, MARK, text

ROOT = Path(__file__).parents[3]
STACKS = tuple(FROM)


def golden(stack: str) -> Path:
    return FOLDER / f"{stack}.plan.json"


def planned(stack: str) -> dict[str, Any]:
    """What `sparkform plan` says, and each service's launches."""
    declared, found = load(ROOT / f"Pulumi.{stack}.yaml"), load_facts(FOLDER / f"{stack}.json")
    said = report(command.planned(declared, found))
    network, problems = plan_network(declared.spec, found.documents)
    launches = plan_launches(declared.spec, network, found.documents)
    assert not [*problems, *launches.problems]
    services = {name: [asdict(rank) for rank in ranks] for name, ranks in launches.services.items()}
    return json.loads(json.dumps({**said, "launches": services}))  # type: ignore[no-any-return]


def written(stack: str) -> str:
    return json.dumps(planned(stack), indent=1, ensure_ascii=False) + "\n"


def test_every_stack_file_has_constructed_facts() -> None:
    assert {path.name for path in ROOT.glob("Pulumi.*.yaml")} == {
        f"Pulumi.{s}.yaml" for s in STACKS
    }


@pytest.mark.parametrize("stack", STACKS)
def test_the_constructed_facts_are_what_the_command_writes_and_say_what_they_are(stack) -> None:
    found = (FOLDER / f"{stack}.json").read_text()
    assert found == text(stack), "run `python -m tests.support.constructed`"
    assert json.loads(found)["constructed"] == MARK


@pytest.mark.parametrize("stack", STACKS)
def test_the_plan_is_the_golden_one(stack) -> None:
    assert written(stack) == golden(stack).read_text(), "read what changed, then write it anew"


@pytest.mark.parametrize("stack", STACKS)
def test_no_rule_refuses_the_stack_on_these_machines(stack) -> None:
    severities = {one["severity"] for one in planned(stack)["violations"]}
    assert severities <= {"advisory"}


def test_a_changed_value_in_a_stack_file_changes_the_plan(tmp_path) -> None:
    """The control: the comparison sees one address."""
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    changed = (ROOT / "Pulumi.spark.yaml").read_text().replace("index: 1", "index: 5")
    file = tmp_path / "Pulumi.spark.yaml"
    file.write_text(changed)
    said = report(command.planned(load(file), load_facts(FOLDER / "spark.json")))
    assert json.loads(golden("spark").read_text())["nodes"] != said["nodes"]


if __name__ == "__main__":
    for each in STACKS:
        golden(each).write_text(written(each))
