"""`sparkform bench matrix`: a list of models, one after the other, by ordinary `up`s of a stack."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sparkform.bench.load import Load
from sparkform.bench.matrix import MatrixQuestion, MatrixRecord
from sparkform.bench.presets import choose_models, get_preset
from sparkform.bench.profiles import LoadQuestion, build_loads, check_question
from sparkform.commands import options
from sparkform.commands.bench import command as bench
from sparkform.commands.bench.failure import BenchError
from sparkform.commands.declared import DeclaredStack, load_declared_stack
from sparkform.commands.lazy import import_lazily
from sparkform.errors import InputError, Problem

if TYPE_CHECKING:
    from sparkform.commands.bench_matrix import conduct, planning
else:
    # Templates, SSH and the planner: only a matrix that is asked for needs them.
    conduct = import_lazily("sparkform.commands.bench_matrix.conduct")
    planning = import_lazily("sparkform.commands.bench_matrix.planning")

COMMAND = "bench matrix"
PRESET = "spark-pair"
COOL_TO_C = 50.0

TemplateService = Annotated[
    str | None,
    typer.Option("--service", help="Take engine, image and nodes of this service, not the first."),
]
Models = Annotated[
    str | None, typer.Option(help="Measure these: numbers of the list or handles, as 1,3,ORG/NAME.")
]
PresetName = Annotated[str, typer.Option("--preset", help="Take the list of this name.")]
CoolBelow = Annotated[
    float,
    typer.Option("--cool-to", min=20, max=100, help="Wait until the GPUs are below, in °C."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would run: nodes, memory, predicted time.")
]
OutFolder = Annotated[
    Path | None, typer.Option("--out", help="Write into this folder, or go on with what is in it.")
]


def run(
    stack: options.StackFile,
    service: TemplateService = None,
    models: Models = None,
    preset: PresetName = PRESET,
    single_node: Annotated[
        bool, typer.Option("--single-node", help="Use the first node alone.")
    ] = False,
    skip_token: Annotated[
        bool, typer.Option("--skip-token", help="Skip models that need a Hugging Face token.")
    ] = False,
    profile: bench.ProfileName = "quick",
    prompts: bench.Prompts = None,
    input_tokens: bench.InputTokens = None,
    output_tokens: bench.OutputTokens = None,
    concurrency: bench.OpenRequests = None,
    runs: bench.Runs = 1,
    scale: bench.Scale = 1.0,
    seed: bench.Seed = None,
    cool_to: CoolBelow = COOL_TO_C,
    dry_run: DryRun = False,
    out: OutFolder = None,
    url: bench.ApiUrl = None,
    time_limit: bench.TimeLimit = 7200.0,
    even_so: bench.EvenSo = False,
    yes: options.Yes = False,
) -> None:
    """Failures are kept with their cause, and at the end the declared services run again."""
    load = build_load(profile, prompts, input_tokens, output_tokens, concurrency, scale)
    template = open_template(stack, service)
    question = MatrixQuestion(
        stack=template.declared.full_name,
        service=template.service,
        models=choose_models(get_preset(preset), models),
        runtimes=(str(template.block["runtime"]),),
        rounds=1,
        load=load,
        runs=runs,
        single_node=single_node,
        skip_token=skip_token,
        cool_to_c=cool_to,
    )
    way = conduct.MatrixWay(COMMAND, "matrix", out, url, time_limit, even_so, yes, seed)
    if dry_run:
        conduct.print_plan(conduct.plan_record(template, question, way))
        return
    record, folder = run_question(template, question, way)
    conduct.print_matrix(record, folder)
    raise typer.Exit(conduct.choose_exit_code(record))


def build_load(
    profile: str,
    prompts: int | None,
    input_tokens: int | None,
    output_tokens: int | None,
    concurrency: int | None,
    scale: float,
) -> Load:
    """The seed is drawn later. Raises InputError."""
    question = LoadQuestion(
        profile=profile,
        prompts=prompts,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        concurrency=concurrency,
        scale=scale,
    )
    options.require(*check_question(question))
    (load,) = build_loads(question)
    return load


def open_template(stack: Path, service: str | None) -> planning.MatrixTemplate:
    """Raises InputError."""
    declared = load_declared_stack(stack)
    text = stack.read_bytes().decode("utf-8-sig")
    return planning.MatrixTemplate(declared, choose_template(declared, service), text)


def choose_template(declared: DeclaredStack, service: str | None) -> str:
    """Raises InputError where there is no such service, or none at all."""
    names = tuple(declared.declaration.services)
    if not names:
        problem = Problem(
            path=str(declared.file),
            message="declares no service whose engine, image and nodes the models could take",
            remedy="declare one: `sparkform recommend MODEL` prints a block",
        )
        raise InputError([problem])
    if service is not None:
        options.require(options.check_choice("--service", service, names))
    return service or names[0]


def run_question(
    template: planning.MatrixTemplate, question: MatrixQuestion, way: conduct.MatrixWay
) -> tuple[MatrixRecord, Path]:
    """What came of it, and where it is. Ends with 1 where it could not go on."""
    try:
        opened = conduct.open_matrix(template, question, way)
        conduct.print_plan(opened.record)
        if not opened.record.is_unfinished:
            raise BenchError("Nothing is left to measure: no model of the list can be served so.")
        typer.echo(
            "Runs `pulumi up` on this stack for each, with that one service, and at the end with "
            "the stack file as it is. Running services end; models stay on the nodes."
        )
        return conduct.conduct(template, opened, way), opened.folder.path
    except BenchError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(options.FINDINGS) from None
