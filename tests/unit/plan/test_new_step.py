"""A step is added as CONTRIBUTING says: by its module and by a row of its plan alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import node.steps
from node.host.typed_json import to_fields
from node.state import receipts
from node.steps import STEPS, StepRequest, list_step_names
from node.verbs import apply, undo
from sparkform.plan import wants
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.steps import PlannedStep
from sparkform.plan.wants import NodeInputs, NodeStep
from sparkform.report.facts import NodeReport
from tests.support.fake_spark import FakeSpark, build_spark, claim_node
from tests.support.node_steps import take_snapshot, undo_all
from tests.support.planning import build_declaration, build_plan, load_reports

MODULE = '''
"""The message of the day: one line of ours."""

from dataclasses import dataclass

from node.changes import file
from node.host.differences import format_change
from node.steps import StepSpec

PATH = "/etc/motd"


@dataclass(frozen=True)
class Want:
    text: str | None = None


def observe(system, request):
    return Want(system.read(PATH))


def narrow(observed, want):
    return observed


def compare(have, want):
    return [] if have == want else [format_change("message", have.text, want.text)]


def apply(manifest, want, secrets):
    if manifest.system.read(PATH) == want.text:
        return []
    file.write(manifest, file.FileChange(PATH, want.text))
    return [f"{PATH}: written"]


SPEC = StepSpec(
    name="motd",
    want=Want,
    observed=Want,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    get_disturbance=lambda have, want: "host",
)
'''
NODE = "spark-1"


@pytest.fixture
def motd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both places of the recipe."""
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "motd.py").write_text(MODULE)
    monkeypatch.setattr(node.steps, "__path__", [*node.steps.__path__, str(tmp_path / "steps")])
    list_step_names.cache_clear()
    module: Any = import_module("node.steps.motd")

    def build_want(inputs: NodeInputs) -> object:
        return module.Want(f"this is {inputs.node.name}")

    row = NodeStep(module.SPEC, build_want)
    monkeypatch.setattr(wants, "NODE_STEPS", (*wants.NODE_STEPS, row))
    yield
    list_step_names.cache_clear()
    del sys.modules["node.steps.motd"]
    delattr(node.steps, "motd")


@pytest.fixture
def spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSpark:
    monkeypatch.setattr("os.fsync", lambda handle: None)
    return build_spark(tmp_path / "spark")


def plan_motd(spark: FakeSpark) -> PlannedStep:
    """Planned from what the node reports now."""
    observed = STEPS["motd"].observe(spark.system, StepRequest())
    reports = load_reports("direct-2-up")
    report: NodeReport = reports[NODE].model_copy(
        update={
            "steps": {**reports[NODE].steps, "motd": to_fields(observed)},
            "receipts": {**reports[NODE].receipts, **receipts.read_all(spark.system)},
        }
    )
    plan: RackPlan = build_plan(build_declaration("direct", 2), {**reports, NODE: report})
    return plan.nodes[NODE]["motd"]


@pytest.mark.usefixtures("motd")
def test_a_module_and_a_row_of_its_plan_are_all_that_a_new_step_needs(spark: FakeSpark) -> None:
    before = take_snapshot(spark)
    claim_node(spark, "sparkform/rec")
    assert "motd" in STEPS
    step = plan_motd(spark)
    assert step.lines == ("spark-1 motd: message is unset, will be this is spark-1",)
    assert step.disturbance == "host"
    document = step.decision.document
    assert apply.main(spark.system, ["motd"], document) == ["/etc/motd: written"]
    assert apply.main(spark.system, ["motd"], document) == ["nothing to do"]
    assert plan_motd(spark).decision.document == document
    assert plan_motd(spark).lines == ()
    undo.main(spark.system, ["motd"], json.dumps({"owner": step.decision.owner}))
    assert spark.system.read("/etc/motd") is None
    undo_all(spark.system)
    assert take_snapshot(spark) == before


def test_without_its_module_there_is_no_such_step() -> None:
    """The control: nothing of the recipe outlives the test before."""
    assert "motd" not in STEPS
    assert not hasattr(node.steps, "motd")
