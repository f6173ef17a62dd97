"""The `sparkform` command: one module a subcommand, each importing what it needs when it runs."""

from __future__ import annotations

import sys

import typer

from sparkform.cli import (
    check,
    doctor,
    explain,
    fit,
    forget,
    init,
    logs,
    models,
    plan,
    predict,
    prove,
    recommend,
)
from sparkform.errors import InputError

app = typer.Typer(
    name="sparkform",
    help="Plan, check and look after a rack of DGX Sparks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def root() -> None:
    """Keep `app` a group of subcommands however many are registered."""


app.command("check")(check.command)
app.command("explain")(explain.command)
app.command("init")(init.command)
app.command("plan")(plan.command)
app.command("doctor")(doctor.command)
app.command("logs")(logs.command)
app.command("forget")(forget.command)
app.command("fit")(fit.command)
app.command("models")(models.command)
app.command("predict")(predict.command)
app.command("prove")(prove.command)
app.command("recommend")(recommend.command)


def main() -> None:
    """Run the command line. Exit codes: 0 ok, 1 findings, 2 bad input."""
    try:
        app()
    except InputError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        sys.exit(2)
