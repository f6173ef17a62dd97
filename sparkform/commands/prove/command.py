"""`sparkform prove`: the declared service in three stages, each an ordinary `up` of the stack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparkform.commands.declared import DeclaredStack
    from sparkform.commands.prove.proof import Result, Run
    from sparkform.commands.prove.stages import Models, Stage

FINDINGS = 1


def command(
    stack: Annotated[Path, typer.Argument(metavar="STACK.yaml", help="Pulumi.<stack>.yaml")],
    service: Annotated[str | None, typer.Argument(help="the first one without it")] = None,
    plain: Annotated[str | None, typer.Option(help="handle of a small unquantised model")] = None,
    fp8: Annotated[str | None, typer.Option(help="handle of a small model in FP8")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Bring a small model up on one node, then one in FP8, then what is declared."""
    from sparkform.commands.declared import load
    from sparkform.commands.options import require_consent
    from sparkform.commands.prove.proof import prove
    from sparkform.commands.prove.stages import stages

    declared = load(stack)
    name = chosen(declared, service)
    models = small_models(declared.spec.services[name].engine, plain, fp8)
    planned = stages(declared.spec, name, models)
    typer.echo(before(planned))
    require_consent("prove", "Go on?", yes)
    results: list[Result] = []
    for result in prove(planned, runner(declared)):
        results.append(result)
    show(results)
    raise typer.Exit(0 if all(one.word == "pass" for one in results) else FINDINGS)


def chosen(declared: DeclaredStack, service: str | None) -> str:
    """Raises InputError where there is no such service, or none at all."""
    from sparkform.commands.options import one_of, require
    from sparkform.errors import InputError, Problem

    names = tuple(declared.spec.services)
    if not names:
        what = "declares no service, so there is nothing to prove"
        raise InputError([Problem(path=str(declared.file), what=what)])
    if service is not None:
        require(one_of("SERVICE", service, names))
    return service or names[0]


def small_models(engine: str, plain: str | None, fp8: str | None) -> Models:
    """What the user named, else the catalogue's."""
    from sparkform.commands.prove.stages import Models, models_for

    if plain and fp8:
        return Models(plain, fp8)
    found = models_for(engine)
    return Models(plain or found.plain, fp8 or found.fp8)


def before(planned: Sequence[Stage]) -> str:
    """What will be done, before it is."""
    listed = "\n".join(f"  {at}. {one.title}" for at, one in enumerate(planned, 1))
    return (
        f"Three times `pulumi up` on this stack, until one fails:\n{listed}\n"
        "The services that run now are stopped by the first one. Models stay on the nodes."
    )


def runner(declared: DeclaredStack) -> Run:
    """Runs a stage with a copy of the stack file in which the services are the stage's."""
    import tempfile

    from sparkform.commands.prove.proof import Outcome
    from sparkform.commands.prove.stack_file import with_services
    from sparkform.commands.prove.stack_run import up
    from sparkform.commands.pulumi_command import root_of

    def run(stage: Stage) -> Outcome:
        typer.echo(f"\n=== {stage.name}: {stage.title} ===")
        text = with_services(declared.file.read_text(encoding="utf-8"), stage.services)
        with tempfile.TemporaryDirectory(prefix="sparkform-prove-") as folder:
            file = Path(folder) / declared.file.name
            file.write_text(text, encoding="utf-8")
            root = root_of(declared.folder)
            return up(declared.folder, root, declared.name.stack, file, typer.echo)

    return run


def show(results: Sequence[Result]) -> None:
    """The table, and how to go on."""
    from sparkform.commands.prove.proof import seen
    from sparkform.commands.tables import console, row, table

    made = table("\nproof", "", "stage", "s", "seen")
    words = {"pass": "ok", "fail": "fail", "not run": "warn"}
    for one in results:
        took = f"{one.outcome.took_s:.0f}" if one.outcome else ""
        row(made, words[one.word], one.stage.title, took, f"{one.word}: {seen(one)}")
    console().print(made)
    if any(one.word == "fail" for one in results):
        typer.echo("`pulumi up` goes on to the declared services; `sparkform logs` has the logs.")
