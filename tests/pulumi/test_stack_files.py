"""The stack files of this repository in real previews, from constructed facts, without any machine.

What the preview says must be what the golden plan says (tests/data/constructed).
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from sparkform.report.recording import FACTS_VARIABLE
from tests.support.constructed import FOLDER, SOURCE_RECORDINGS
from tests.support.deployment import ROOT, Deployment
from tests.support.shown import find_repeated_sentences

STACKS = tuple(SOURCE_RECORDINGS)


@pytest.fixture
def deployment(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Deployment:
    """The stack of that file on a state of its own; only its facts are at hand."""
    stack: str = request.param
    monkeypatch.setenv(FACTS_VARIABLE, str(FOLDER / f"{stack}.json"))
    declared = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    (tmp_path / "state").mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    cluster, services = declared["sparkform:cluster"], declared["sparkform:services"]
    deployment = Deployment(tmp_path, cluster, stack, services=services)
    result = deployment.run_pulumi("stack", "init", stack, "--no-select", "--cwd", str(tmp_path))
    assert result.returncode == 0, result.stderr
    return deployment


def read_planned_lines(stack: str) -> list[str]:
    """Every line of the golden plan, sorted."""
    plan = json.loads((FOLDER / f"{stack}.plan.json").read_text())
    return sorted(line for row in (*plan["services"], *plan["steps"]) for line in row["lines"])


def list_advisories(stack: str) -> list[str]:
    """The rules that advise in the golden plan, sorted."""
    plan = json.loads((FOLDER / f"{stack}.plan.json").read_text())
    return sorted(row["rule"] for row in plan["violations"] if row["severity"] == "advisory")


def find_rule(message: str) -> str:
    """That of an advisory; empty for another sentence."""
    match = re.search(r" \[([a-z0-9-]+)\] \(", message)
    return match[1] if match else ""


@pytest.mark.parametrize("deployment", STACKS, indirect=True)
def test_a_stack_file_previews_without_any_machine_as_its_golden_plan_says(
    deployment: Deployment,
) -> None:
    outcome = deployment.preview()
    lines, advised = read_planned_lines(deployment.stack), list_advisories(deployment.stack)
    assert [message for message in outcome.messages if message in lines] == lines
    others = [message for message in outcome.messages if message not in lines]
    assert len(others) == len(advised)
    for message, rule in zip(sorted(others, key=find_rule), advised, strict=True):
        assert find_rule(message) == rule
    assert set(outcome.operations.values()) == {"create"}


@pytest.mark.parametrize("deployment", STACKS[:1], indirect=True)
def test_a_preview_shows_each_line_once_and_node_by_node(deployment: Deployment) -> None:
    """As a person sees it, who has no terminal that draws over its lines."""
    deployment.write_stack_file()
    result = deployment.run_pulumi(*deployment.build_stack_command("preview"))
    assert result.returncode == 0, result.stdout
    shown = [line.strip() for line in result.stdout.splitlines()]
    planned = [line for line in shown if line in read_planned_lines(deployment.stack)]
    assert sorted(planned) == read_planned_lines(deployment.stack)
    nodes = [line.split()[0] for line in planned if not line.startswith("service ")]
    assert nodes == sorted(nodes)
    assert find_repeated_sentences(result.stdout) == []


def test_a_sentence_that_is_shown_twice_is_found() -> None:
    """The control."""
    sentence = "spark-2 nccl_conf: NCCL_IB_DISABLE is 1, will be 0"
    row = f" ~  command:remote:Command spark-2-nccl_conf update {sentence}"
    output = f"{row}\nDiagnostics:\n    {sentence}\n"
    assert find_repeated_sentences(output) == [sentence]


@pytest.mark.parametrize("deployment", STACKS[:1], indirect=True)
def test_up_is_refused_with_recorded_facts(deployment: Deployment) -> None:
    outcome = deployment.run("up", "--yes", "--skip-preview")
    assert outcome.exit_code != 0
    errors = "\n".join(outcome.errors)
    assert "recorded facts are for previews only" in errors
    assert "unhandled error" not in errors


@pytest.mark.parametrize("deployment", STACKS[:1], indirect=True)
def test_another_address_shows_in_the_preview(deployment: Deployment) -> None:
    """The control: the comparison sees one changed value."""
    deployment.cluster["nodes"][1]["index"] = 5
    assert deployment.preview().messages != read_planned_lines("spark")
