"""The stack files of this repository in real previews, from constructed facts, without any machine.

What the preview says must be what the golden plan says (tests/data/constructed).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from sparkform.report.recording import FACTS_VARIABLE
from tests.support.constructed import FOLDER, SOURCE_RECORDINGS
from tests.support.deployment import ROOT, Deployment, PulumiOutcome

STACKS = tuple(SOURCE_RECORDINGS)


@pytest.fixture
def deployed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch) -> Deployment:
    """The stack of that file on a state of its own; only its facts are at hand."""
    stack: str = request.param
    monkeypatch.setenv(FACTS_VARIABLE, str(FOLDER / f"{stack}.json"))
    declared = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    (tmp_path / "state").mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    cluster, services = declared["sparkform:cluster"], declared["sparkform:services"]
    made = Deployment(tmp_path, cluster, stack, services=services)
    done = made.pulumi("stack", "init", stack, "--no-select", "--cwd", str(tmp_path))
    assert done.returncode == 0, done.stderr
    return made


def planned(stack: str) -> list[str]:
    """Every line of the golden plan, sorted."""
    found = json.loads((FOLDER / f"{stack}.plan.json").read_text())
    return sorted(line for one in (*found["services"], *found["steps"]) for line in one["lines"])


@pytest.mark.parametrize("deployed", STACKS, indirect=True)
def test_a_stack_file_previews_without_any_machine_as_its_golden_plan_says(deployed) -> None:
    done: PulumiOutcome = deployed.preview()
    assert done.messages == planned(deployed.stack)
    assert set(done.operations.values()) == {"create"}


@pytest.mark.parametrize("deployed", STACKS[:1], indirect=True)
def test_up_is_refused_with_recorded_facts(deployed) -> None:
    done: PulumiOutcome = deployed.run("up", "--yes", "--skip-preview")
    assert done.exit_code != 0
    assert "recorded facts are for previews only" in "\n".join(done.errors)


@pytest.mark.parametrize("deployed", STACKS[:1], indirect=True)
def test_another_address_shows_in_the_preview(deployed) -> None:
    """The control: the comparison sees one changed value."""
    deployed.cluster["nodes"][1]["index"] = 5
    assert deployed.preview().said != planned("spark")
