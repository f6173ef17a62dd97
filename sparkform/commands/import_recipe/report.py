"""What `sparkform import` prints: the block or the stack with its remarks, and what check says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from sparkform.commands.import_recipe.completion import ImportedService, count_nodes
from sparkform.config import Declaration, parse_config
from sparkform.config.cluster import MOST_NODES
from sparkform.config.stack_file import MODELINE
from sparkform.errors import InputError
from sparkform.rules.context import Context
from sparkform.rules.evaluate import evaluate
from sparkform.rules.outcome import Violation

TOPOLOGIES = {1: "none", 2: "direct", 3: "ring"}
WIDTH = 10_000
"""Of a line: nothing is folded."""


@dataclass(frozen=True)
class ImportReport:
    """`problems` are what no stack file may hold, `violations` what the rules say."""

    services: Mapping[str, Mapping[str, object]]
    remarks: Mapping[str, Sequence[str]]
    problems: Sequence[str]
    violations: Sequence[Violation]

    @property
    def is_refused(self) -> bool:
        return bool(self.problems) or any(
            violation.severity == "mandatory" for violation in self.violations
        )


def build_cluster(count: int) -> dict[str, object]:
    """As many Sparks, by names that their owner replaces."""
    names = [f"spark-{number + 1}" for number in range(count)]
    return {
        "user": "nvidia",
        "nodes": [{"name": name, "host": f"{name}.local"} for name in names],
        "fabric": {"topology": TOPOLOGIES.get(count, "switch")},
    }


def build_report(services: Sequence[ImportedService], nodes: int | None) -> ImportReport:
    """The blocks judged on `nodes` Sparks, or on as many as they need."""
    blocks = {service.name: dict(service.block) for service in services}
    needed = max(map(count_nodes, blocks.values()))
    count = min(nodes or needed, MOST_NODES)
    names = [f"spark-{number + 1}" for number in range(count)]
    for block in blocks.values():
        if count_nodes(block) < count:
            block["nodes"] = names[: count_nodes(block)]
    problems, violations = _judge(build_cluster(count), blocks)
    remarks = {service.name: service.remarks for service in services}
    return ImportReport(blocks, remarks, problems, violations)


def _judge(
    cluster: Mapping[str, object], services: Mapping[str, object]
) -> tuple[list[str], Sequence[Violation]]:
    try:
        declaration: Declaration = parse_config(cluster, services)
    except InputError as error:
        return [str(problem) for problem in error.problems], ()
    return [], evaluate(Context(declaration=declaration)).violations


def render(report: ImportReport, nodes: int | None) -> str:
    """YAML; what is not in it stands behind it as comments."""
    parts = []
    if nodes is None:
        parts.append(_dump({"sparkform:services": report.services}))
    else:
        stack = {
            "sparkform:cluster": build_cluster(nodes),
            "sparkform:services": report.services,
        }
        parts.append(f"{MODELINE}\n{_dump({'config': stack})}")
    for name, remarks in report.remarks.items():
        parts.append(
            f"# {name}: what its recipe says and the block does not, and what was added:\n"
        )
        parts += [f"#   {_clean(remark)}\n" for remark in remarks]
    return "".join(parts)


def _dump(document: Mapping[str, object]) -> str:
    text: str = yaml.safe_dump(document, sort_keys=False, width=WIDTH, allow_unicode=True)
    return text


def _clean(text: str) -> str:
    """On one line and printable: a comment must not end early."""
    flat = " ".join(text.split())
    return "".join(character if character.isprintable() else "?" for character in flat)
