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
from sparkform.config.section import keys_of
from sparkform.config.service import ENGINES
from sparkform.config.stack_yaml import read_yaml
from sparkform.report.facts import NodeDocument
from sparkform.rules.context import Context
from sparkform.rules.evaluate import evaluate
from sparkform.rules.outcome import Verdict
from sparkform.rules.stack_secrets import secret_names

DATA = Path(__file__).parents[2] / "data"


@dataclass(frozen=True)
class Case:
    """A stack file that is a good one with one change."""

    path: Path
    good: Path
    change: str
    rule: str


def cases(folder: str) -> list[Case]:
    return [read_case(path) for path in sorted((DATA / folder).glob("*.yaml"))]


def read_case(path: Path) -> Case:
    found = dict(re.findall(r"^# (\w+): (.+)$", path.read_text(), re.MULTILINE))
    return Case(path, DATA / "good" / found["good"], found["change"], found["rule"])


def context(path: Path, **changes: Any) -> Context:
    given: dict[str, Any] = {"spec": load_stack(path), "secrets": secret_names(path)}
    return Context(**(given | changes))


def verdict(path: Path, **changes: Any) -> Verdict:
    return evaluate(context(path, **changes)) if changes else _plain_verdict(path)


@cache
def _plain_verdict(path: Path) -> Verdict:
    return evaluate(context(path))


KEYS = {
    key for model in (Node, Fabric, Swarm, Cluster, *ENGINES.values()) for key in keys_of(model)
}


def is_pasteable(remedy: str) -> bool:
    """Whether a stack file takes a remedy as it stands: known keys with values, or a comment."""
    read = read_yaml(remedy)
    if read is None:
        return remedy.startswith("# ")
    return isinstance(read, dict) and set(read) <= KEYS


def refusing(found: Verdict) -> set[str]:
    return {one.rule for one in found.refusals}


def warning(found: Verdict) -> set[str]:
    return {one.rule for one in found.warnings}


def leaves(value: object, at: str = "") -> Iterator[tuple[str, object]]:
    """Every plain value of a document with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{at}.{key}" if at else str(key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from leaves(item, f"{at}[{position}]")
    else:
        yield at, value


def changed_paths(first: object, second: object) -> set[str]:
    """The paths at which two documents differ."""
    mine, other = dict(leaves(first)), dict(leaves(second))
    return {path for path in mine.keys() | other.keys() if mine.get(path) != other.get(path)}


@cache
def document(path: Path) -> Any:
    return read_yaml(path.read_text())


def interface(name: str, port: int | None, half: str | None, **changes: Any) -> dict[str, Any]:
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


def facts(at: int) -> dict[str, Any]:
    """What a healthy Spark with two cabled ports reports."""
    gib = 1024 * 1024
    fabric = [
        interface(f"en{half_name}s0f{port}np{port}", port, half)
        for port in (0, 1)
        for half, half_name in (("A", "p1"), ("B", "P2p1"))
    ]
    return {
        "host": {
            "hostname": f"spark-{at}",
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
        "interfaces": [interface("enP7s7", None, None, addresses=[f"10.0.0.{at}/24"]), *fabric],
        "routes": [
            {
                "destination": "default",
                "gateway": "10.0.0.254",
                "interface": "enP7s7",
                "source": f"10.0.0.{at}",
                "metric": 100,
                "table": "main",
            },
        ],
        "containers": [],
        "models": [],
    }


def documents(
    nodes: int, first: Mapping[str, Any] | None = None, second: Mapping[str, Any] | None = None
) -> dict[str, NodeDocument]:
    """All nodes' documents; `first` and `second` replace facts of those nodes."""
    made = {}
    for at, change in zip(range(1, nodes + 1), chain((first, second), repeat(None)), strict=False):
        found = facts(at) | dict(change or {})
        made[f"spark-{at}"] = NodeDocument.model_validate(
            {
                "version": 1,
                "unix_time_s": 0.0,
                "facts": _tuples(found),
                "steps": {},
                "receipts": {},
                "unreadable": (),
            }
        )
    return made


def _tuples(value: Any) -> Any:
    """Lists as tuples, which strict models want outside of JSON."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
