"""`sparkform bench`: load on a service of a stack, and a folder with what came of it."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from sparkform.bench.load import DEFAULT_SEED
from sparkform.bench.profiles import (
    DEFAULT_PROFILE,
    LoadQuestion,
    build_loads,
    check_question,
    parse_counts,
    parse_goodput,
)
from sparkform.commands import options
from sparkform.commands.declared import load_declared_stack

LARGEST_SEED = 2**31 - 1
MOST_RUNS = 100


def run(
    stack: options.StackFile,
    service: Annotated[
        str | None, typer.Argument(help="Name the service, where the stack has several.")
    ] = None,
    profile: Annotated[
        str,
        typer.Option(help="Send quick, short, medium, long, throughput, latency, stress, ..."),
    ] = DEFAULT_PROFILE,
    prompts: Annotated[
        int | None, typer.Option("--prompts", "-n", help="Send this many requests.")
    ] = None,
    input_tokens: Annotated[
        int | None, typer.Option("--input", "-i", help="Send prompts of this many tokens.")
    ] = None,
    output_tokens: Annotated[
        int | None, typer.Option("--output", "-o", help="Ask for this many tokens.")
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", "-c", help="Keep this many requests open.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Send this many requests a second, at random times.")
    ] = None,
    sweep: Annotated[
        str | None, typer.Option(help="Try several concurrencies, as 1,2,4,8.")
    ] = None,
    depth: Annotated[
        str | None, typer.Option(help="Try several lengths of text before the prompt, as 0,4096.")
    ] = None,
    goodput: Annotated[
        str | None, typer.Option(help="Count requests within limits in ms, as ttft:500,itl:50.")
    ] = None,
    runs: Annotated[
        int, typer.Option(min=1, max=MOST_RUNS, help="Repeat each load, to know the spread.")
    ] = 1,
    scale: Annotated[
        float, typer.Option(help="Send this share of the profile's prompts; a trial below 1.")
    ] = 1.0,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=LARGEST_SEED, help="Repeat the prompts of this seed, cached ones too."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write into this new folder instead of bench-TIME.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Reach the API here, as through a forwarded port.")
    ] = None,
    time_limit: Annotated[
        float, typer.Option(min=1, help="End each run after this many seconds.")
    ] = 7200.0,
    even_so: Annotated[
        bool, typer.Option("--even-so", help="Measure sick nodes too, and mark the result.")
    ] = False,
) -> None:
    """The folder has result.json, the requests, a summary, charts and report.html."""
    question = LoadQuestion(
        profile=profile,
        prompts=prompts,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        concurrency=concurrency,
        rate_per_s=rate,
        sweep=parse_counts("--sweep", sweep),
        depths=parse_counts("--depth", depth),
        scale=scale,
        seed=draw_seed() if seed is None else seed,
    )
    options.require(*check_question(question))
    limits = parse_goodput(goodput)
    declared = load_declared_stack(stack)
    from sparkform.commands.bench.failure import BenchError
    from sparkform.commands.bench.work import BenchRequest, run_benchmark

    request = BenchRequest(
        declared=declared,
        service=service,
        loads=build_loads(question),
        goodput=limits,
        runs=runs,
        folder=out or Path(time.strftime("bench-%Y%m%d-%H%M%S")),
        url=url.rstrip("/") if url else None,
        time_limit_s=time_limit,
        even_so=even_so,
    )
    try:
        with tempfile.TemporaryDirectory(prefix="sparkform-bench-") as scratch:
            code = run_benchmark(request, Path(scratch))
    except BenchError as error:
        print(error, file=sys.stderr)
        code = options.FINDINGS
    raise typer.Exit(code)


def draw_seed() -> int:
    """Another one each time: prompts of an earlier run would be answered by the prefix cache."""
    return random.SystemRandom().randint(DEFAULT_SEED, LARGEST_SEED)
