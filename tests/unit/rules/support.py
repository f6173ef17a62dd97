"""Stacks from tests/data, and facts that each test changes in one place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import cast

from sparkform.config import Cluster, Declaration, Fabric, Node, Swarm, load_stack
from sparkform.config.section import get_fields_by_key
from sparkform.config.service import ENGINES
from sparkform.config.stack_yaml import read_yaml
from sparkform.fabric.network import plan_network
from sparkform.launch import Launch
from sparkform.report.facts import NodeReport
from sparkform.rules.context import GIB_IN_KIB, Context
from sparkform.rules.evaluate import evaluate
from sparkform.rules.knowledge import RulesCatalogue
from sparkform.rules.outcome import RulesVerdict
from sparkform.rules.stack_secrets import list_secret_names
from tests.support.node_reports import Fields, build_interfaces, build_report, build_route

DATA = Path(__file__).parents[2] / "data"


@dataclass(frozen=True)
class StackCase:
    """A stack file that is a good one with one change."""

    path: Path
    good: Path
    change: str
    rule: str


def list_cases(folder: str) -> list[StackCase]:
    return [read_case(path) for path in sorted((DATA / folder).glob("*.yaml"))]


def read_case(path: Path) -> StackCase:
    header = dict(re.findall(r"^# (\w+): (.+)$", path.read_text(), re.MULTILINE))
    return StackCase(path, DATA / "good" / header["good"], header["change"], header["rule"])


def evaluate_stack(
    path: Path,
    declaration: Declaration | None = None,
    reports: Mapping[str, NodeReport] | None = None,
    launches: Mapping[str, Sequence[Launch]] | None = None,
    catalogue: RulesCatalogue | None = None,
) -> RulesVerdict:
    """What the rules say of a stack file, with what is given in the place of what it declares."""
    if declaration is None and reports is None and launches is None and catalogue is None:
        return _evaluate_unchanged(path)
    context = _build_context(path)
    declared = declaration or context.declaration
    network = None if reports is None else plan_network(declared, reports)[0]
    changed = replace(
        context,
        declaration=declared,
        reports=reports,
        network=network,
        launches=launches or {},
        catalogue=catalogue or context.catalogue,
    )
    return evaluate(changed)


def _build_context(path: Path) -> Context:
    return Context(declaration=load_stack(path), secrets=list_secret_names(path))


@cache
def _evaluate_unchanged(path: Path) -> RulesVerdict:
    return evaluate(_build_context(path))


KEYS = {
    key
    for model in (Node, Fabric, Swarm, Cluster, *ENGINES.values())
    for key in get_fields_by_key(model)
}


def is_pasteable(remedy: str) -> bool:
    """Whether a stack file takes a remedy as it stands: known keys with values, or a comment."""
    remedy_keys = read_yaml(remedy)
    if remedy_keys is None:
        return remedy.startswith("# ")
    return isinstance(remedy_keys, dict) and set(remedy_keys) <= KEYS


def list_refused(verdict: RulesVerdict) -> set[str]:
    return {violation.rule for violation in verdict.refusals}


def list_warned(verdict: RulesVerdict) -> set[str]:
    return {violation.rule for violation in verdict.warnings}


def list_leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every plain value of a document with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from list_leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from list_leaves(item, f"{path}[{position}]")
    else:
        yield path, value


def list_changed_paths(document: object, other_document: object) -> set[str]:
    """The paths at which two documents differ."""
    values, other_values = dict(list_leaves(document)), dict(list_leaves(other_document))
    return {
        path
        for path in values.keys() | other_values.keys()
        if values.get(path) != other_values.get(path)
    }


@cache
def read_config(path: Path) -> Fields:
    """The values of a stack file, by `sparkform:` key."""
    document = read_yaml(path.read_text())
    assert isinstance(document, dict)
    return cast(Fields, document["config"])


MEMORY: Fields = {
    "total_kib": int(119.7 * GIB_IN_KIB),
    "available_kib": 114 * GIB_IN_KIB,
    "swap_total_kib": 0,
    "swap_free_kib": 0,
    "swaps": [],
}
LOGIN: Fields = {
    "user": "nvidia",
    "uid": 1000,
    "groups": ["docker"],
    "linger": True,
    "passwordless_sudo": True,
}
HOST: Fields = {
    "hostname": "spark",
    "kernel": "6.17.0-1031-nvidia",
    "architecture": "aarch64",
    "os": "Ubuntu",
    "os_id": "ubuntu",
    "os_version": "24.04",
    "dgx_name": None,
    "dgx_os": None,
}


def build_facts(number: int) -> Fields:
    """What a healthy Spark with two cabled ports reports."""
    address = f"10.0.0.{number}"
    return {
        "host": HOST | {"hostname": f"spark-{number}"},
        "container_toolkit": {"version": "1.19.0"},
        "memory": MEMORY,
        "login": LOGIN,
        "logind": {"remove_ipc": True},
        "interfaces": build_interfaces(address),
        "routes": [build_route(address)],
        "containers": [],
        "models": [],
    }


def build_reports(
    nodes: int,
    spark_1: Mapping[str, object] | None = None,
    spark_2: Mapping[str, object] | None = None,
) -> dict[str, NodeReport]:
    """All nodes' reports; `spark_1` and `spark_2` replace facts of those nodes."""
    changes = {1: spark_1 or {}, 2: spark_2 or {}}
    return {
        f"spark-{number}": build_report({**build_facts(number), **changes.get(number, {})})
        for number in range(1, nodes + 1)
    }
