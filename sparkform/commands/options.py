"""Options that several subcommands share, and the checks of their numbers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from sparkform.errors import InputError, Problem

ModelName = Annotated[
    str, typer.Argument(metavar="MODEL", help="A handle or a name of the catalogue.")
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="A Hugging Face config.json of any other model.")
]
FactsFile = Annotated[
    Path | None, typer.Option("--model-facts", help="A JSON file with modelFacts.")
]
Quant = Annotated[
    str | None, typer.Option("--quant", help="bf16, fp8, int8, int4 (awq, gptq), nvfp4 or mxfp4.")
]
KvCache = Annotated[str, typer.Option("--kv-cache", help="auto, fp8 or nvfp4.")]
Engine = Annotated[str, typer.Option("--engine", help="vllm or trtllm.")]
Runtime = Annotated[str, typer.Option("--runtime", help="container, swarm or native.")]
Link = Annotated[str, typer.Option("--link", help="direct, switch, ring or socket.")]
HardwareName = Annotated[str, typer.Option("--hardware", help="gb10-128 or gb10-64.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

RUNTIMES = ("container", "swarm", "native")


def print_json(answer: object) -> None:
    """Print an answer for machines."""
    import json

    print(json.dumps(answer))


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


def check_choice(path: str, value: str, allowed: Iterable[str]) -> Problem | None:
    """A problem if a value is none of the allowed ones, with near ones offered."""
    from difflib import get_close_matches

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
    """Ask before what cannot be taken back. Raises InputError where nobody is there to be asked."""
    import sys

    if yes:
        return
    if not sys.stdin.isatty():
        remedy = "run it again with --yes"
        require(Problem(path=command, message="nobody is there to say yes", remedy=remedy))
    typer.confirm(question, abort=True)
