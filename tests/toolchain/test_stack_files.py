"""The stack files of this repository in real previews, from constructed facts, without any machine.

What the preview says must be what the golden plan says (tests/data/constructed).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkform.facts import ENVIRONMENT
from sparkform.planner.wants import FABRIC_STEPS, HOST_STEPS
from tests.support.constructed import FOLDER, FROM
from tests.support.deployment import ROOT, Deployment, Outcome

STACKS = tuple(FROM)


@pytest.fixture
def deployed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch) -> Deployment:
    """The stack of that file on a state of its own; only its facts are at hand."""
    stack: str = request.param
    monkeypatch.setenv(ENVIRONMENT, str(FOLDER / f"{stack}.json"))
    declared = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    (tmp_path / "state").mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    made = Deployment(tmp_path, declared["sparkform:cluster"], stack)
    done = made.pulumi("stack", "init", stack, "--no-select", "--cwd", str(tmp_path))
    assert done.returncode == 0, done.stderr
    return made


def golden(stack: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{stack}.plan.json").read_text())
    return found


def of_the_rack(lines: list[str]) -> list[str]:
    """What is there without services; whether a GPU is offered in a Swarm is their affair too."""
    own = (*HOST_STEPS, *FABRIC_STEPS, "anchor", "fabric_check")
    return sorted(
        line for line in lines if line.split()[1].startswith(own) and "NVIDIA_GPU" not in line
    )


@pytest.mark.parametrize("deployed", STACKS, indirect=True)
def test_a_stack_file_previews_without_any_machine_as_its_golden_plan_says(deployed) -> None:
    done: Outcome = deployed.preview()
    steps = golden(deployed.stack)["steps"]
    planned = [line for step in steps for line in step["lines"]]
    assert of_the_rack(done.said) == of_the_rack(planned)
    assert set(done.operations.values()) == {"create"}


@pytest.mark.parametrize("deployed", STACKS[:1], indirect=True)
def test_up_is_refused_with_recorded_facts(deployed) -> None:
    done: Outcome = deployed.run("up", "--yes", "--skip-preview")
    assert done.exit_code != 0
    assert "recorded facts are for previews only" in "\n".join(done.errors)


@pytest.mark.parametrize("deployed", STACKS[:1], indirect=True)
def test_another_address_shows_in_the_preview(deployed) -> None:
    """The control: the comparison sees one changed value."""
    deployed.cluster["nodes"][1]["index"] = 5
    planned = [line for step in golden("spark")["steps"] for line in step["lines"]]
    assert of_the_rack(deployed.preview().said) != of_the_rack(planned)
