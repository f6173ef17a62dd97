"""What a launch plans is read back as the keys that it came from, and nothing of it as an argument:
an option that launches plan and import does not know would be refused when it comes twice."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkform.recipes.conversion import convert
from sparkform.recipes.reading import read_recipes

GOLDEN = Path(__file__).parents[1] / "launch" / "golden"
DECLARED = {"--enable-prefix-caching", "--num_postprocess_workers"}
"""What the golden stacks give in extraArgs."""


def list_command_lines() -> Iterator[tuple[str, list[str]]]:
    """The planned commands of engines, with the file that has them."""
    for file in sorted(GOLDEN.glob("*.txt")):
        lines = file.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if line in ("  vllm", "  trtllm-serve"):
                end = next(at for at, text in enumerate(lines) if at > number and text[:2] != "  ")
                yield file.stem, [word.strip() for word in lines[number:end]]


COMMAND_LINES = list(list_command_lines())


@pytest.mark.parametrize(("name", "words"), COMMAND_LINES, ids=lambda item: str(item)[:40])
def test_no_planned_option_becomes_an_argument(name: str, words: list[str]) -> None:
    [recipe] = read_recipes(shlex.join(words), name)
    extra = convert(recipe).block.get("extraArgs", [])
    assert isinstance(extra, list)
    assert {word for word in extra if word.startswith("-")} <= DECLARED


def test_both_engines_and_every_key_are_among_the_lines() -> None:
    assert {name for name, _ in COMMAND_LINES} >= {
        "vllm-container-none-every-key",
        "trtllm-container-none",
    }
    assert any("--speculative-config" in words for _, words in COMMAND_LINES)
