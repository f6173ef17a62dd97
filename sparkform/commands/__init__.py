"""The `sparkform` command: one module or folder a subcommand, imported when it is called."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from sparkform.errors import InputError

if TYPE_CHECKING:
    from typer import Typer

COMMANDS = {
    "check": "check",
    "explain": "explain",
    "init": "init.command",
    "plan": "plan.command",
    "doctor": "doctor",
    "logs": "logs",
    "prove": "prove.command",
    "forget": "forget.command",
    "fit": "fit",
    "models": "models.command",
    "predict": "predict",
    "recommend": "recommend",
}
"""Each subcommand and its module in this package."""

OBJECTS_BETWEEN_COLLECTIONS = 1_000_000
"""Instead of 700: what imports make stays, and looking through it takes a twentieth of a start."""


def build_application(names: Sequence[str]) -> Typer:
    """The command line with these subcommands. Typer reads the signature of each that it has."""
    import typer

    app = typer.Typer(
        name="sparkform",
        help="Plan, check and look after a rack of DGX Sparks.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(root)
    for name in names:
        app.command(name)(import_module(f"sparkform.commands.{COMMANDS[name]}").command)
    return app


def root() -> None:
    """Keep the application a group of subcommands however many are registered."""


def main() -> None:
    """Run the command line. Exit codes: 0 ok, 1 findings, 2 bad input."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    requested = [name for name in sys.argv[1:2] if name in COMMANDS]
    try:
        build_application(requested or list(COMMANDS))()
    except InputError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        sys.exit(2)
