"""The `sparkform` command: one folder a subcommand, and only the requested one is imported."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from sparkform.errors import InputError

if TYPE_CHECKING:
    from typer import Typer


@dataclass(frozen=True)
class Subcommand:
    """What `sparkform --help` says of a subcommand. Exit code 2 is bad input for all of them.

    `folder` where Python has the name for itself.
    """

    help: str
    exit_codes: str = "0 done"
    folder: str | None = None


SUBCOMMANDS = {
    "check": Subcommand(
        "Check a stack file against the rules.",
        "0 no mandatory rule is violated, 1 at least one is",
    ),
    "explain": Subcommand("Explain a rule or a line of an engine's log, with its sources."),
    "new": Subcommand("Write a Pulumi project that runs the installed program."),
    "init": Subcommand("Contact nodes, detect their cabling and write a stack file."),
    "import": Subcommand(
        "Take over another tool's recipe as a service block or a stack file.",
        "0 no mandatory rule is violated, 1 at least one is, or a value is missing",
        folder="import_recipe",
    ),
    "plan": Subcommand(
        "Show what `pulumi up` would do, without touching a node.",
        "0 done, 1 a mandatory rule is violated or a step is refused, "
        "3 something is unknown and stays as it is",
    ),
    "doctor": Subcommand(
        "Check every node against the plan, without changing anything.",
        "0 no check failed, 1 at least one did, 3 none did, but something is unknown",
    ),
    "status": Subcommand(
        "Show services and nodes as they are now.",
        "0 every service serves and every node answers, 1 otherwise",
    ),
    "dashboard": Subcommand("Show the same as a live page on this machine, read-only."),
    "logs": Subcommand(
        "Show the logs of running engines, or the kept logs of ended ones.",
        "0 done, 1 a node did not answer",
    ),
    "restart": Subcommand(
        "Restart a service: all its ranks, as one group.",
        "0 asked for, 1 it was refused or the node did not answer",
    ),
    "upgrade": Subcommand(
        "Update packages and firmware of the nodes, one after the other, and verify each.",
        "0 all nodes are done and answer, 1 it stopped or a node did not answer",
    ),
    "prove": Subcommand(
        "Bring up a small model, then one in FP8, then the declared services.",
        "0 all stages passed, 1 one failed",
    ),
    "bench": Subcommand(
        "Send load to a service, and keep what came of it in a folder.",
        "0 measured, 1 a node is sick, the service does not answer or requests failed, "
        "3 the run ended early or a node was not read throughout",
    ),
    "bench compare": Subcommand(
        "Compare results of `bench`, and tell differences from noise.",
        "0 done, 1 slower than --fail-if-slower allows",
        folder="bench_compare",
    ),
    "bench matrix": Subcommand(
        "Measure a list of models, one after the other, by ordinary ups of the stack.",
        "0 all were measured or left out, 1 one failed or the stack is not as before, "
        "3 it was ended early: the same command goes on",
        folder="bench_matrix",
    ),
    "bench alternate": Subcommand(
        "Measure models native and in container, in turns, and compare the two.",
        "0 all were measured or left out, 1 one failed or the stack is not as before, "
        "3 it was ended early: the same command goes on",
        folder="bench_alternate",
    ),
    "forget": Subcommand("Remove a lost node from Pulumi's state.", "0 done, 1 not confirmed"),
    "fit": Subcommand("Show what fits on 1 to 8 nodes: weights, cache and largest context."),
    "models": Subcommand(
        "List the catalogue, or the models on a stack's nodes.",
        "0 done, 1 a node did not answer",
    ),
    "predict": Subcommand("Predict tokens per second and the time to the first token."),
    "bench study": Subcommand(
        "Compare native with container from results of each: memory, cache, throughput.",
        folder="bench_study",
    ),
    "calibration": Subcommand(
        "Show what this user's racks measured; add, share or remove it.",
    ),
    "recommend": Subcommand(
        "Recommend a service block for a model, with reasons.",
        "0 done, 1 nothing fits",
    ),
}
"""Each has a folder, of its name or the one given, whose module `command` has a function `run`. A
name may have two words."""

VERSION_FLAG = "--version"

OBJECTS_BETWEEN_COLLECTIONS = 1_000_000
"""Instead of 700: what imports make stays, and looking through it takes a twentieth of a start."""


def build_application(imported: Collection[str]) -> Typer:
    """The command line with all subcommands, of which those `imported` can be run."""
    import typer

    app = typer.Typer(
        name="sparkform",
        help="Plan, check and operate a rack of DGX Sparks.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    for name, subcommand in SUBCOMMANDS.items():
        function = import_run(name) if name in imported else skip_run
        epilog = f"Exit codes: {subcommand.exit_codes}, 2 bad input."
        app.command(name, help=subcommand.help, epilog=epilog)(function)
    return app


def import_run(name: str) -> Callable[..., None]:
    """The function of a subcommand. Typer reads its signature."""
    folder = SUBCOMMANDS[name].folder or name
    run: Callable[..., None] = import_module(f"sparkform.commands.{folder}.command").run
    return run


def skip_run() -> None:
    """Stands for a subcommand that is only listed, which costs no import."""


def join_name(arguments: Sequence[str]) -> list[str]:
    """A name of two words becomes one argument.

    >>> join_name(["bench", "compare", "a", "b"]), join_name(["bench", "Pulumi.lab.yaml"])
    (['bench compare', 'a', 'b'], ['bench', 'Pulumi.lab.yaml'])
    """
    name = " ".join(arguments[:2])
    return [name, *arguments[2:]] if " " in name and name in SUBCOMMANDS else list(arguments)


def find_requested(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """The subcommand; where a shell asks how a line goes on, that of the line.

    >>> find_requested(["sparkform"], {"COMP_WORDS": "sparkform fit --ba"})
    'fit'
    """
    words = environment.get("COMP_WORDS", "").split() or arguments
    return next((word for word in words[1:] if not word.startswith("-")), "")


def read_version() -> str:
    from importlib.metadata import version

    return version("sparkform")


def main() -> None:
    """Run the command line. Exit codes: 0 ok, 1 findings, 2 bad input."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    if sys.argv[1:] == [VERSION_FLAG]:
        print(f"sparkform {read_version()}")
        return
    arguments = join_name(sys.argv[1:])
    try:
        build_application({find_requested(["sparkform", *arguments], os.environ)})(arguments)
    except InputError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        sys.exit(2)
