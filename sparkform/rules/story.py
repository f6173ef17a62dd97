"""Why each rule exists, in its function's own words, and the page docs/rules.md made of them."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sparkform.errors import InputError
from sparkform.rules.registry import GROUPS, RACK_RULES, SERVICE_RULES, STACK_RULES
from sparkform.rules.table import Row, table
from sparkform.rules.waivers import unknown_rule

ENGINE_WORDS = {
    "trtllm": "services of TensorRT-LLM",
    "vllm": "services of vLLM",
    "both": "services of both engines",
    "none": "the rack",
}
INTRODUCTION = """\
# Rules

What `sparkform check`, the program and the policy pack refuse or warn of. Written by
`python -m sparkform.rules.story`; the sources are those of `sparkform/rules/rules.csv`, the
sentences those of the rules' functions. A mandatory rule stops a run unless `cluster.waive` names
it with a reason; an advisory one is told on each run. A rule that lacks a fact or a figure is
skipped and says so.
"""


@dataclass(frozen=True)
class Story:
    """A rule's row with the text that goes with it."""

    row: Row
    text: str

    @property
    def engines(self) -> str:
        """What the rule looks at, in words."""
        return ENGINE_WORDS[self.row.engines]

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources, one by one."""
        return tuple(part.strip() for part in self.row.source.split("; "))


def functions() -> Mapping[str, Callable[..., object]]:
    """Every rule's function by id."""
    return {**SERVICE_RULES, **RACK_RULES, **STACK_RULES}


def story_of(rule: str) -> Story:
    """The story of a rule. Raises InputError with near names for an unknown one."""
    if rule not in table():
        raise InputError([unknown_rule(rule, "RULE")])
    return Story(table()[rule], inspect.getdoc(functions()[rule]) or "")


def page() -> str:
    """docs/rules.md."""
    return INTRODUCTION + "".join(_sections())


def _sections() -> Iterator[str]:
    yield "\n| rule | weight | looks at |\n|---|---|---|\n"
    for row in table().values():
        yield f"| [{row.id}](#{row.id}) | {row.severity} | {ENGINE_WORDS[row.engines]} |\n"
    for group in GROUPS:
        heading = (inspect.getdoc(group) or "").splitlines()[0]
        yield f"\n## {heading.removesuffix('.')}\n"
        for name in ("SERVICE_RULES", "RACK_RULES", "STACK_RULES"):
            for rule in getattr(group, name, {}):
                yield from _section(story_of(rule))


def _section(story: Story) -> Iterator[str]:
    yield f"\n### {story.row.id}\n\n{story.row.severity}, {story.engines}\n\n"
    for paragraph in story.text.split("\n\n"):
        yield textwrap.fill(" ".join(paragraph.split()), 100) + "\n\n"
    yield "".join(f"- {source}\n" for source in story.sources)


if __name__ == "__main__":
    print(page(), end="")
