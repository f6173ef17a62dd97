"""The `sparkform` command: one module a subcommand, each importing what it needs when it runs."""

from __future__ import annotations

import sys

import typer

from sparkform.cli.doctor import doctor
from sparkform.cli.forget import forget
from sparkform.cli.init import init
from sparkform.cli.plan import plan
from sparkform.errors import InputError

app = typer.Typer(
    name="sparkform",
    help="Plan, check and look after a rack of DGX Sparks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(init)
app.command()(plan)
app.command()(doctor)
app.command()(forget)


@app.callback()
def root() -> None:
    """Keep `app` a group of subcommands however many are registered."""


def main() -> None:
    """Run the command line. Exit codes: 0 ok, 1 findings, 2 bad input."""
    try:
        app()
    except InputError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        sys.exit(2)
