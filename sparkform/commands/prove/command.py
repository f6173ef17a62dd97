"""`sparkform prove`: the declared service in three stages, each an ordinary `up` of the stack."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sparkform.commands import options
from sparkform.commands.declared import DeclaredStack, load_declared_stack
from sparkform.commands.lazy import import_lazily
from sparkform.commands.prove.proof import (
    StageResult,
    StageRunner,
    find_telling_line,
    prove_stages,
)
from sparkform.commands.prove.stages import (
    ProofStage,
    SmallModels,
    find_small_models,
    list_stages,
)
from sparkform.commands.pulumi_command import find_root
from sparkform.commands.stack_services import replace_services
from sparkform.commands.tables import add_row, create_console, create_table
from sparkform.commands.up_outcome import UpOutcome
from sparkform.errors import InputError, Problem

if TYPE_CHECKING:
    from sparkform.commands import stack_run
else:
    # Pulumi's Automation API takes longer to import than all else together.
    stack_run = import_lazily("sparkform.commands.stack_run")

CELLS = {"pass": "ok", "fail": "fail", "not run": "warn"}


def run(
    stack: options.StackFile,
    service: Annotated[
        str | None, typer.Argument(help="Prove this service instead of the first one.")
    ] = None,
    unquantised: Annotated[
        str | None,
        typer.Option("--plain", help="Use this small unquantised model in the first stage."),
    ] = None,
    fp8: Annotated[
        str | None, typer.Option("--fp8", help="Use this small FP8 model in the second stage.")
    ] = None,
    yes: options.Yes = False,
) -> None:
    """The stages end with the first one that fails."""
    declared = load_declared_stack(stack)
    name = choose_service(declared, service)
    models = choose_models(declared.declaration.services[name].engine, unquantised, fp8)
    stages = list_stages(declared.declaration, name, models)
    typer.echo(format_stages(stages))
    options.require_consent("prove", "Continue?", yes)
    results = list(prove_stages(stages, build_runner(declared)))
    print_results(results)
    has_passed = all(result.status == "pass" for result in results)
    raise typer.Exit(0 if has_passed else options.FINDINGS)


def choose_service(declared: DeclaredStack, service: str | None) -> str:
    """Raises InputError where there is no such service, or none at all."""
    names = tuple(declared.declaration.declared_services)
    if not names:
        message = "declares no service, so there is nothing to prove"
        raise InputError([Problem(path=str(declared.file), message=message)])
    if service is not None:
        options.require(options.check_choice("SERVICE", service, names))
    return service or names[0]


def choose_models(engine: str, unquantised: str | None, fp8: str | None) -> SmallModels:
    """What the user named, else the catalogue's."""
    if unquantised and fp8:
        return SmallModels(unquantised, fp8)
    defaults = find_small_models(engine)
    return SmallModels(unquantised or defaults.unquantised, fp8 or defaults.fp8)


def format_stages(stages: Sequence[ProofStage]) -> str:
    """What will be done, before it is."""
    listed = "\n".join(f"  {number}. {stage.title}" for number, stage in enumerate(stages, 1))
    return (
        f"Runs `pulumi up` on this stack three times, until one fails:\n{listed}\n"
        "The first one stops the services that run now. Models stay on the nodes."
    )


def build_runner(declared: DeclaredStack) -> StageRunner:
    """Runs a stage with a copy of the stack file in which the services are the stage's."""

    def run_stage(stage: ProofStage) -> UpOutcome:
        typer.echo(f"\n=== {stage.name}: {stage.title} ===")
        text = replace_services(declared.file.read_text(encoding="utf-8"), stage.services)
        with tempfile.TemporaryDirectory(prefix="sparkform-prove-") as folder:
            file = Path(folder) / declared.file.name
            file.write_text(text, encoding="utf-8")
            root = find_root(declared.folder)
            return stack_run.run_up(declared.folder, root, declared.name.stack, file, typer.echo)

    return run_stage


def print_results(results: Sequence[StageResult]) -> None:
    """The table, and how to go on."""
    result_table = create_table("\nproof", "", "stage", "s", "result")
    for result in results:
        took = f"{result.outcome.took_s:.0f}" if result.outcome else ""
        line = f"{result.status}: {find_telling_line(result)}"
        add_row(result_table, CELLS[result.status], result.stage.title, took, line)
    create_console().print(result_table)
    if any(result.status == "fail" for result in results):
        typer.echo("`pulumi up` starts the declared services; `sparkform logs` shows the logs.")
