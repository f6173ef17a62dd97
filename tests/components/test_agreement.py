"""What `check`, `plan` and `up` refuse is the same, over every stack of tests/data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pulumi
import pytest

from components.judgement import judge_run
from sparkform.commands.check import command as check_command
from sparkform.commands.declared import DeclaredStack
from sparkform.commands.plan import command as plan_command
from sparkform.config import Declaration, load_stack
from sparkform.errors import InputError
from sparkform.plan.rack import plan_rack
from sparkform.plan.secrets import StackSecrets
from sparkform.plan.steps import StackName
from sparkform.report.facts import NodeReport
from sparkform.report.rack_report import Observation, QueryResult
from sparkform.report.recording import load_facts, save_facts
from sparkform.rules.evaluate import evaluate
from sparkform.rules.stack_secrets import list_secret_names
from tests.support.constructed import FOLDER as CONSTRUCTED
from tests.support.node_reports import build_report
from tests.support.planning import get_agent_sha256
from tests.support.registrations import record_registrations
from tests.unit.rules.support import DATA, build_facts

FOLDERS = ("good", "works", "advised", "dangerous")
STACKS = [path for folder in FOLDERS for path in sorted((DATA / folder).glob("*.yaml"))]
STACK = StackName("spark", "demo")


@dataclass(frozen=True)
class Refusals:
    """What each of them refuses, in its own words."""

    check: frozenset[str]
    plan: frozenset[str]
    up: frozenset[str]


@cache
def read_spark() -> NodeReport:
    return load_facts(CONSTRUCTED / "spark.json").reports["spark-1"]


def build_observation(declaration: Declaration) -> Observation:
    """Sparks on which nothing is wrong, each with its own address and cabled ports."""
    nodes = {}
    for number, node in enumerate(declaration.active_nodes, 1):
        own, spark = build_report(build_facts(number)).facts, read_spark()
        changes = {name: getattr(own, name) for name in build_facts(number)}
        facts = spark.facts.model_copy(update=changes)
        report = spark.model_copy(update={"facts": facts})
        nodes[node.name] = QueryResult(report=report, duration_s=0.1)
    return Observation(nodes=nodes)


def refuse_by_check(path: Path, facts: Path) -> frozenset[str]:
    verdict = evaluate(check_command.load_context(path, facts))
    return frozenset(str(violation) for violation in verdict.refusals)


def refuse_by_plan(path: Path, observation: Observation) -> frozenset[str]:
    declared = DeclaredStack(path, path.parent, STACK, load_stack(path))
    try:
        stack_plan = plan_command.plan_stack(declared, observation)
    except InputError as error:
        return frozenset(map(str, error.problems))
    return frozenset(str(violation) for violation in stack_plan.verdict.refusals)


def refuse_by_up(path: Path, observation: Observation) -> frozenset[str]:
    declaration, reports = load_stack(path), observation.reports
    secrets = StackSecrets(list_secret_names(path))
    sha256 = get_agent_sha256(reports)
    plan = plan_rack(declaration, reports, STACK, sha256, secrets)
    messages: list[str] = []
    with record_registrations():

        @pulumi.runtime.test  # type: ignore[untyped-decorator]
        def run() -> None:
            try:
                judge_run(declaration, reports, secrets.names, plan)
            except pulumi.RunError as error:
                messages.extend(str(error).splitlines())

        run()
    return frozenset(messages)


def compare(path: Path, tmp_path: Path) -> Refusals:
    observation, facts = build_observation(load_stack(path)), tmp_path / "facts.json"
    save_facts(observation, facts)
    return Refusals(
        refuse_by_check(path, facts),
        refuse_by_plan(path, observation),
        refuse_by_up(path, observation),
    )


def list_disagreements(refusals: Refusals) -> list[str]:
    """`plan` and `up` also refuse what the nodes cannot do, of which `check` is not asked."""
    named = {"check": refusals.check, "plan": refusals.plan}
    alone = [
        f"only {name}: {text}"
        for name, texts in named.items()
        for text in sorted(texts - refusals.up)
    ]
    return [*alone, *(f"not plan: {text}" for text in sorted(refusals.up - refusals.plan))]


def get_name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", STACKS, ids=get_name)
def test_check_plan_and_up_refuse_the_same(path: Path, tmp_path: Path) -> None:
    refusals = compare(path, tmp_path)
    assert list_disagreements(refusals) == []
    assert refusals.check or path.parent.name != "dangerous", "nothing would be compared"


def test_a_disagreement_is_found() -> None:
    empty, single, double = frozenset[str](), frozenset({"a"}), frozenset({"a", "b"})
    assert list_disagreements(Refusals(empty, double, double)) == []
    assert list_disagreements(Refusals(single, empty, empty)) == ["only check: a"]
    assert list_disagreements(Refusals(single, double, single)) == ["only plan: b"]
    assert list_disagreements(Refusals(single, single, double)) == ["not plan: b"]
