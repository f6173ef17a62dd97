"""Stacks from tests/data, and facts that each test changes in one place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from sparkform.config import Cluster, Fabric, Node, Swarm, load_stack
from sparkform.config.section import get_fields_by_key
from sparkform.config.service import ENGINES
from sparkform.config.stack_yaml import read_yaml
from sparkform.fabric.network import plan_network
from sparkform.report.facts import NodeReport
from sparkform.rules.context import Context
from sparkform.rules.evaluate import evaluate
from sparkform.rules.outcome import RulesVerdict
from sparkform.rules.stack_secrets import list_secret_names

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


def build_context(path: Path, **changes: Any) -> Context:
    context_fields: dict[str, Any] = {
        "declaration": load_stack(path),
        "secrets": list_secret_names(path),
    }
    context_fields |= changes
    if context_fields.get("reports") is not None:
        declaration, reports = context_fields["declaration"], context_fields["reports"]
        context_fields["network"] = plan_network(declaration, reports)[0]
    return Context(**context_fields)


def evaluate_stack(path: Path, **changes: Any) -> RulesVerdict:
    return evaluate(build_context(path, **changes)) if changes else _evaluate_unchanged(path)


@cache
def _evaluate_unchanged(path: Path) -> RulesVerdict:
    return evaluate(build_context(path))


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
def read_document(path: Path) -> Any:
    return read_yaml(path.read_text())


def build_interface(
    name: str, port: int | None, half: str | None, **changes: Any
) -> dict[str, Any]:
    return {
        "name": name,
        "state": "up",
        "carrier": True,
        "speed_mbps": 200000,
        "mtu": 9000,
        "mac": None,
        "kind": None,
        "driver": "mlx5_core" if half else "r8127",
        "addresses": [],
        "port": port,
        "half": half,
        "hca": f"roce{name.removeprefix('en').removesuffix(f'np{port}')}" if half else None,
        "rdma_state": "ACTIVE" if half else None,
        "gid_addresses": [],
    } | changes


def build_facts(number: int) -> dict[str, Any]:
    """What a healthy Spark with two cabled ports reports."""
    gib = 1024 * 1024
    fabric = [
        build_interface(f"en{half_name}s0f{port}np{port}", port, half)
        for port in (0, 1)
        for half, half_name in (("A", "p1"), ("B", "P2p1"))
    ]
    return {
        "host": {
            "hostname": f"spark-{number}",
            "kernel": "6.17.0-1031-nvidia",
            "architecture": "aarch64",
            "os": "Ubuntu",
            "os_id": "ubuntu",
            "os_version": "24.04",
            "dgx_name": None,
            "dgx_os": None,
        },
        "container_toolkit": {"version": "1.19.0"},
        "memory": {
            "total_kib": int(119.7 * gib),
            "available_kib": 114 * gib,
            "swap_total_kib": 0,
            "swap_free_kib": 0,
            "swaps": [],
        },
        "login": {
            "user": "nvidia",
            "uid": 1000,
            "groups": ["docker"],
            "linger": True,
            "passwordless_sudo": True,
        },
        "logind": {"remove_ipc": True},
        "interfaces": [
            build_interface("enP7s7", None, None, addresses=[f"10.0.0.{number}/24"]),
            *fabric,
        ],
        "routes": [
            {
                "destination": "default",
                "gateway": "10.0.0.254",
                "interface": "enP7s7",
                "source": f"10.0.0.{number}",
                "metric": 100,
                "table": "main",
            },
        ],
        "containers": [],
        "models": [],
    }


def build_reports(
    nodes: int, spark_1: Mapping[str, Any] | None = None, spark_2: Mapping[str, Any] | None = None
) -> dict[str, NodeReport]:
    """All nodes' documents; `first` and `second` replace facts of those nodes."""
    reports = {}
    for number, change in zip(
        range(1, nodes + 1), chain((spark_1, spark_2), repeat(None)), strict=False
    ):
        node_facts = build_facts(number) | dict(change or {})
        reports[f"spark-{number}"] = NodeReport.model_validate(
            {
                "version": 1,
                "unix_time_s": 0.0,
                "facts": _to_tuples(node_facts),
                "steps": {},
                "receipts": {},
                "unreadable": (),
            }
        )
    return reports


def _to_tuples(value: Any) -> Any:
    """Lists as tuples, which strict models want outside of JSON."""
    if isinstance(value, dict):
        return {key: _to_tuples(item) for key, item in value.items()}
    return tuple(_to_tuples(item) for item in value) if isinstance(value, list) else value
