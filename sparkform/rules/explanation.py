"""Why each rule exists, in its function's own words, and the page docs/rules.md made of them."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sparkform.errors import InputError
from sparkform.rules.registry import GROUPS, RACK_RULES, SERVICE_RULES, STACK_RULES
from sparkform.rules.table import RuleRow, load_table
from sparkform.rules.waivers import build_unknown_rule_problem

SCOPE_NAMES = {
    "trtllm": "TensorRT-LLM",
    "vllm": "vLLM",
    "both": "both engines",
    "none": "the rack",
}
INTRODUCTION = """\
# Rules

What `sparkform check`, the program and the policy pack refuse or warn of. A mandatory rule stops a
run unless `cluster.waive` names it with a reason; an advisory one warns. A rule that lacks a fact
or a figure is skipped and says so. Each names the services or the rack that it looks at, and its
sources. Written by `python -m sparkform.rules.explanation`.
"""


@dataclass(frozen=True)
class RuleExplanation:
    """A rule's row with the text that goes with it."""

    row: RuleRow
    text: str

    @property
    def engines(self) -> str:
        """What the rule looks at, in words."""
        return SCOPE_NAMES[self.row.engines]

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources, one by one."""
        return tuple(part.strip() for part in self.row.source.split("; "))


def list_rule_functions() -> Mapping[str, Callable[..., object]]:
    """Every rule's function by id."""
    return {**SERVICE_RULES, **RACK_RULES, **STACK_RULES}


def find_explanation(rule: str) -> RuleExplanation:
    """The story of a rule. Raises InputError with near names for an unknown one."""
    if rule not in load_table():
        raise InputError([build_unknown_rule_problem(rule, "RULE")])
    return RuleExplanation(load_table()[rule], inspect.getdoc(list_rule_functions()[rule]) or "")


def render_page() -> str:
    """docs/rules.md."""
    return INTRODUCTION + "".join(_render_sections())


def _render_sections() -> Iterator[str]:
    for severity in ("mandatory", "mandatory or advisory", "advisory"):
        links = [
            f"[{row.id}](#{row.id})" for row in load_table().values() if row.severity == severity
        ]
        yield f"\n**{severity.capitalize()}:** {', '.join(links)}.\n"
    for group in GROUPS:
        heading = (inspect.getdoc(group) or "").splitlines()[0]
        yield f"\n## {heading.removesuffix('.')}\n"
        for name in ("SERVICE_RULES", "RACK_RULES", "STACK_RULES"):
            for rule in getattr(group, name, {}):
                yield from _render_section(find_explanation(rule))


def _render_section(story: RuleExplanation) -> Iterator[str]:
    yield f"\n### {story.row.id}\n\n{story.row.severity}, {story.engines}\n\n"
    for paragraph in story.text.split("\n\n"):
        yield textwrap.fill(" ".join(paragraph.split()), 100) + "\n\n"
    yield "".join(f"- {source}\n" for source in story.sources)


if __name__ == "__main__":
    print(render_page(), end="")
