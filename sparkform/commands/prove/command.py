"""`sparkform prove`: the declared service in three stages, each an ordinary `up` of the stack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparkform.commands.declared import DeclaredStack
    from sparkform.commands.prove.proof import Run, StageResult
    from sparkform.commands.prove.stages import ProofStage, SmallModels

FINDINGS = 1


def command(
    stack: Annotated[Path, typer.Argument(metavar="STACK.yaml", help="Pulumi.<stack>.yaml")],
    service: Annotated[str | None, typer.Argument(help="the first one without it")] = None,
    plain: Annotated[str | None, typer.Option(help="handle of a small unquantised model")] = None,
    fp8: Annotated[str | None, typer.Option(help="handle of a small model in FP8")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Bring a small model up on one node, then one in FP8, then what is declared."""
    from sparkform.commands.declared import load_declared_stack
    from sparkform.commands.options import require_consent
    from sparkform.commands.prove.proof import prove_stages
    from sparkform.commands.prove.stages import list_stages

    declared = load_declared_stack(stack)
    name = choose_service(declared, service)
    models = choose_models(declared.declaration.services[name].engine, plain, fp8)
    planned = list_stages(declared.declaration, name, models)
    typer.echo(format_plan(planned))
    require_consent("prove", "Go on?", yes)
    results: list[StageResult] = []
    for result in prove_stages(planned, build_runner(declared)):
        results.append(result)
    print_results(results)
    raise typer.Exit(
        0 if all(stage_result.status == "pass" for stage_result in results) else FINDINGS
    )


def choose_service(declared: DeclaredStack, service: str | None) -> str:
    """Raises InputError where there is no such service, or none at all."""
    from sparkform.commands.options import check_choice, require
    from sparkform.errors import InputError, Problem

    names = tuple(declared.declaration.services)
    if not names:
        message = "declares no service, so there is nothing to prove"
        raise InputError([Problem(path=str(declared.file), message=message)])
    if service is not None:
        require(check_choice("SERVICE", service, names))
    return service or names[0]


def choose_models(engine: str, unquantised: str | None, fp8: str | None) -> SmallModels:
    """What the user named, else the catalogue's."""
    from sparkform.commands.prove.stages import SmallModels, find_small_models

    if unquantised and fp8:
        return SmallModels(unquantised, fp8)
    defaults = find_small_models(engine)
    return SmallModels(unquantised or defaults.unquantised, fp8 or defaults.fp8)


def format_plan(planned: Sequence[ProofStage]) -> str:
    """What will be done, before it is."""
    listed = "\n".join(f"  {number}. {stage.title}" for number, stage in enumerate(planned, 1))
    return (
        f"Three times `pulumi up` on this stack, until one fails:\n{listed}\n"
        "The services that run now are stopped by the first one. Models stay on the nodes."
    )


def build_runner(declared: DeclaredStack) -> Run:
    """Runs a stage with a copy of the stack file in which the services are the stage's."""
    import tempfile

    from sparkform.commands.prove.proof import StageOutcome
    from sparkform.commands.prove.stack_file import replace_services
    from sparkform.commands.prove.stack_run import run_up
    from sparkform.commands.pulumi_command import find_root

    def run(stage: ProofStage) -> StageOutcome:
        typer.echo(f"\n=== {stage.name}: {stage.title} ===")
        text = replace_services(declared.file.read_text(encoding="utf-8"), stage.services)
        with tempfile.TemporaryDirectory(prefix="sparkform-prove-") as folder:
            file = Path(folder) / declared.file.name
            file.write_text(text, encoding="utf-8")
            root = find_root(declared.folder)
            return run_up(declared.folder, root, declared.name.stack, file, typer.echo)

    return run


def print_results(results: Sequence[StageResult]) -> None:
    """The table, and how to go on."""
    from sparkform.commands.prove.proof import find_telling_line
    from sparkform.commands.tables import add_row, create_console, create_table

    result_table = create_table("\nproof", "", "stage", "s", "seen")
    cells = {"pass": "ok", "fail": "fail", "not run": "warn"}
    for result in results:
        took = f"{result.outcome.took_s:.0f}" if result.outcome else ""
        add_row(
            result_table,
            cells[result.status],
            result.stage.title,
            took,
            f"{result.status}: {find_telling_line(result)}",
        )
    create_console().print(result_table)
    if any(result.status == "fail" for result in results):
        typer.echo("`pulumi up` goes on to the declared services; `sparkform logs` has the logs.")
