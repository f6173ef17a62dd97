"""`sparkform bench alternate`: each model native, in container, native …, then the study of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sparkform.bench.matrix import MatrixQuestion
from sparkform.bench.presets import choose_models, get_preset
from sparkform.commands import options
from sparkform.commands.bench import command as bench
from sparkform.commands.bench_matrix import command as matrix
from sparkform.commands.lazy import import_lazily

if TYPE_CHECKING:
    from sparkform.commands.bench_alternate import study_files
    from sparkform.commands.bench_matrix import conduct
else:
    # Templates, SSH and the planner: only a study that is asked for needs them.
    conduct = import_lazily("sparkform.commands.bench_matrix.conduct")
    study_files = import_lazily("sparkform.commands.bench_alternate.study_files")

COMMAND, PREFIX = "bench alternate", "study"
PRESET = "container-native"
NATIVE, CONTAINER = "native", "container"
RUNS, PROMPTS = 10, 50
COOL_TO_C = 45.0
"""As the published study: ten runs of fifty requests, each begun below 45 °C."""


def run(
    stack: options.StackFile,
    service: matrix.TemplateService = None,
    models: matrix.Models = None,
    preset: matrix.PresetName = PRESET,
    single_node: Annotated[
        bool, typer.Option("--single-node", help="Use the first node alone.")
    ] = False,
    skip_token: Annotated[
        bool, typer.Option("--skip-token", help="Skip models that need a Hugging Face token.")
    ] = False,
    profile: bench.ProfileName = "quick",
    prompts: bench.Prompts = PROMPTS,
    input_tokens: bench.InputTokens = None,
    output_tokens: bench.OutputTokens = None,
    concurrency: bench.OpenRequests = None,
    runs: bench.Runs = RUNS,
    seed: bench.Seed = None,
    cool_to: matrix.CoolBelow = COOL_TO_C,
    dry_run: matrix.DryRun = False,
    out: matrix.OutFolder = None,
    url: bench.ApiUrl = None,
    time_limit: bench.TimeLimit = 7200.0,
    even_so: bench.EvenSo = False,
    yes: options.Yes = False,
) -> None:
    """Each run has an `up` of its own, and at the end the declared services run again."""
    load = matrix.build_load(profile, prompts, input_tokens, output_tokens, concurrency, 1.0)
    template = matrix.open_template(stack, service)
    question = MatrixQuestion(
        stack=template.declared.full_name,
        service=template.service,
        models=choose_models(get_preset(preset), models),
        runtimes=(NATIVE, choose_container(str(template.block["runtime"]))),
        rounds=runs,
        load=load,
        runs=1,
        single_node=single_node,
        skip_token=skip_token,
        cool_to_c=cool_to,
    )
    way = conduct.MatrixWay(COMMAND, PREFIX, out, url, time_limit, even_so, yes, seed)
    if dry_run:
        conduct.print_plan(conduct.plan_record(template, question, way))
        return
    record, folder = matrix.run_question(template, question, way)
    conduct.print_matrix(record, folder)
    study_files.write_study(record, folder)
    raise typer.Exit(conduct.choose_exit_code(record))


def choose_container(runtime: str) -> str:
    """The Swarm's ranks are containers too."""
    return CONTAINER if runtime == NATIVE else runtime
