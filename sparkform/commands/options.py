"""Arguments and options that several subcommands share, and the checks of their values.

Each help text is an imperative sentence: `Print JSON.`
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from sparkform.errors import InputError, Problem

StackFile = Annotated[
    Path, typer.Argument(metavar="STACK.yaml", help="Read the stack file Pulumi.<stack>.yaml.")
]
RecordedFacts = Annotated[
    Path | None,
    typer.Option("--facts", help="Use recorded facts instead of contacting nodes."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Skip the confirmation.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, as docs/commands.md describes.")]

ModelName = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="Take a model by its handle or catalogue name."),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="Describe any other model by its Hugging Face config.json."),
]
ModelFactsFile = Annotated[
    Path | None,
    typer.Option("--model-facts", help="Describe any other model by a JSON file of modelFacts."),
]
Quant = Annotated[
    str | None,
    typer.Option(
        "--quant", help="Assume weights in bf16, fp8, int8, int4 (awq, gptq), nvfp4 or mxfp4."
    ),
]
KvCache = Annotated[
    str, typer.Option("--kv-cache", help="Assume a KV cache in auto, fp8 or nvfp4.")
]
Engine = Annotated[str, typer.Option("--engine", help="Assume the engine vllm or trtllm.")]
Runtime = Annotated[
    str, typer.Option("--runtime", help="Assume the runtime container, swarm or native.")
]
Link = Annotated[
    str,
    typer.Option("--link", help="Assume nodes joined by direct, switch, ring, socket or nvlink."),
]
HardwareName = Annotated[
    str,
    typer.Option(
        "--hardware", help="Assume nodes of gb10-128, gb10-64, h100, h200, l40s or rtx-pro-6000."
    ),
]
Context = Annotated[
    int | None, typer.Option("--context", help="Require sequences of this many tokens.")
]
Concurrency = Annotated[
    int, typer.Option("--concurrency", help="Assume this many requests at once.")
]

Eager = Annotated[bool, typer.Option("--eager", help="Assume no CUDA graphs.")]
SpeculativeOption = Annotated[
    str | None,
    typer.Option("--speculative", help="Assume drafts: a method and a count, as mtp:3."),
]

RUNTIMES = ("container", "swarm", "native")
MOST_DRAFTS = 64
FINDINGS = 1
"""The exit code of a command that ran and found something wrong."""

INCOMPLETE = 3
"""The exit code of a command that found nothing wrong, but could not read all it looked at."""


def require(*problems: Problem | None) -> None:
    """Raise InputError with all problems that are there."""
    reported = [problem for problem in problems if problem is not None]
    if reported:
        raise InputError(reported)


def check_range(path: str, value: float | None, low: float, high: float) -> Problem | None:
    """A problem if a given value lies outside `low` to `high`."""
    if value is None or low <= value <= high:
        return None
    return Problem(
        path=path,
        message="is out of range",
        got=f"{value:,.10g}",
        allowed=f"{low:,.10g} to {high:,.10g}",
    )


class SpeculativeChoice(NamedTuple):
    """A method of speculative decoding and how many tokens it drafts at once."""

    method: str | None = None
    tokens: int = 0


def parse_speculative(text: str | None) -> SpeculativeChoice:
    """`mtp:3`, or nothing. Raises InputError for anything else."""
    if text is None:
        return SpeculativeChoice()
    method, _, tokens = text.partition(":")
    if method.strip() and tokens.isascii() and tokens.isdigit() and 1 <= int(tokens) <= MOST_DRAFTS:
        return SpeculativeChoice(method.strip().lower(), int(tokens))
    allowed = f"METHOD:TOKENS with 1 to {MOST_DRAFTS} tokens, as mtp:3"
    problem = Problem(path="--speculative", message="is not a draft", got=text, allowed=allowed)
    raise InputError([problem])


def check_choice(path: str, value: str, allowed: Iterable[str]) -> Problem | None:
    """A problem if a value is none of the allowed ones, with near ones offered."""
    names = list(allowed)
    if value in names:
        return None
    suggestions = get_close_matches(value, names, n=2)
    return Problem(
        path=path,
        message="is not known",
        got=value,
        allowed=", ".join(names),
        remedy=f"did you mean {' or '.join(suggestions)}?" if suggestions else None,
    )


def require_consent(command: str, question: str, yes: bool) -> None:
    """Ask before what cannot be undone. Raises InputError where stdin is not a terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        message = "confirmation required, but stdin is not a terminal"
        require(Problem(path=command, message=message, remedy="run again with --yes"))
    typer.confirm(question, abort=True)
