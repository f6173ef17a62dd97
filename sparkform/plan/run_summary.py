"""The lines of a run: what differs before it, and what was done in a few lines after it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from node.steps import STEPS, get_kind
from sparkform.plan.steps import PlannedStep

SUBJECTS_SHOWN = 5
"""With that of advisories a summary has six lines; Pulumi adds how long the run took."""


@dataclass(frozen=True)
class DoneStep:
    """One step that was done, and what its node said of it."""

    node: str
    step: str
    lines: tuple[str, ...]

    @property
    def said_lines(self) -> tuple[str, ...]:
        """For people: what another step reads is not said."""
        spec = STEPS.get(self.step)
        is_answer = spec is not None and (spec.prints_answer or spec.prints_secret)
        lines = () if is_answer else self.lines
        return tuple(f"{self.node} {self.step}: {line}" for line in lines)


def list_planned_lines(steps: Iterable[PlannedStep], nodes: Sequence[str]) -> list[str]:
    """What differs, node by node in the declared order; within a node as the steps come."""
    in_order = sorted(steps, key=lambda step: nodes.index(step.node))
    return [line for step in in_order for line in step.lines]


def summarize_done(
    steps: Sequence[DoneStep],
    nodes: Sequence[str],
    services: Collection[str],
    advisory_count: int = 0,
) -> list[str]:
    """At most six lines: each sentence of the nodes where there are few, else the steps' names."""
    if not steps:
        return []
    in_order = sorted(steps, key=lambda step: nodes.index(step.node))
    lines = [line for step in in_order for line in step.said_lines]
    if len(lines) > SUBJECTS_SHOWN:
        lines = _cut(_name_steps(in_order, services))
    return [*lines, *_describe_advisories(advisory_count)]


def _describe_advisories(count: int) -> list[str]:
    if not count:
        return []
    noun = "advisory" if count == 1 else "advisories"
    return [f"{count} {noun}: `pulumi preview` and `sparkform check` name them"]


def _cut(lines: list[str]) -> list[str]:
    if len(lines) <= SUBJECTS_SHOWN:
        return lines
    kept = lines[: SUBJECTS_SHOWN - 1]
    return [*kept, f"and {len(lines) - len(kept)} more of the rack's nodes and services"]


def _name_steps(steps: Sequence[DoneStep], services: Collection[str]) -> list[str]:
    """Nodes of which the same was done share a line; services come after the nodes."""
    by_node: dict[str, dict[str, None]] = {}
    by_service: dict[str, dict[str, None]] = {}
    for step in steps:
        service = step.step.partition(":")[2]
        if service in services:
            by_service.setdefault(f"service {service}", {})[get_kind(step.step)] = None
        else:
            by_node.setdefault(step.node, {})[step.step] = None
    return [*_join_equal(by_node), *_join_equal(by_service)]


def _join_equal(names_by_subject: Mapping[str, Collection[str]]) -> list[str]:
    """
    >>> _join_equal({"a": ["x", "y"], "b": ["x", "y"], "c": ["x"]})
    ['a and b: x, y', 'c: x']
    """
    subjects_by_names: dict[str, list[str]] = {}
    for subject, names in names_by_subject.items():
        subjects_by_names.setdefault(", ".join(names), []).append(subject)
    return [f"{_join_words(subjects)}: {names}" for names, subjects in subjects_by_names.items()]


def _join_words(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
