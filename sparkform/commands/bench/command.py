"""`sparkform bench`: load on a service of a stack, and a folder with what came of it."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from sparkform.bench.load import AIPERF, DEFAULT_SEED, DRIVERS, Goodput, Load
from sparkform.bench.profiles import (
    DEFAULT_PROFILE,
    LoadQuestion,
    build_loads,
    check_question,
    parse_counts,
    parse_goodput,
)
from sparkform.commands import options
from sparkform.commands.bench.folder import RESULT
from sparkform.commands.calibration_file import add_measured, load_measured
from sparkform.commands.declared import DeclaredStack, load_declared_stack
from sparkform.sizing.rack_calibration import fit_classes

LARGEST_SEED = 2**31 - 1
MOST_RUNS = 100


ServiceName = Annotated[
    str | None, typer.Argument(help="Name the service, where the stack has several.")
]
ProfileName = Annotated[
    str, typer.Option(help="Send quick, short, medium, long, throughput, latency, stress, ...")
]
Prompts = Annotated[int | None, typer.Option("--prompts", "-n", help="Send this many requests.")]
InputTokens = Annotated[
    int | None, typer.Option("--input", "-i", help="Send prompts of this many tokens.")
]
OutputTokens = Annotated[
    int | None, typer.Option("--output", "-o", help="Ask for this many tokens.")
]
OpenRequests = Annotated[
    int | None, typer.Option("--concurrency", "-c", help="Keep this many requests open.")
]
Rate = Annotated[
    float | None, typer.Option(help="Send this many requests a second, at random times.")
]
Sweep = Annotated[str | None, typer.Option(help="Try several concurrencies, as 1,2,4,8.")]
Depth = Annotated[
    str | None, typer.Option(help="Try several lengths of text before the prompt, as 0,4096.")
]
GoodputLimits = Annotated[
    str | None, typer.Option(help="Count requests within limits in ms, as ttft:500,itl:50.")
]
Runs = Annotated[
    int, typer.Option(min=1, max=MOST_RUNS, help="Repeat each load, to know the spread.")
]
Scale = Annotated[
    float, typer.Option(help="Send this share of the profile's prompts; a trial below 1.")
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, max=LARGEST_SEED, help="Repeat the prompts of this seed, cached ones too."),
]
OutFolder = Annotated[
    Path | None, typer.Option(help="Write into this new folder instead of bench-TIME.")
]
ApiUrl = Annotated[
    str | None, typer.Option(help="Reach the API here, as through a forwarded port.")
]
TimeLimit = Annotated[float, typer.Option(min=1, help="End each run after this many seconds.")]
Calibrate = Annotated[
    bool, typer.Option("--calibrate", help="Keep what was measured for `predict` to learn from.")
]
DriverName = Annotated[
    str, typer.Option("--driver", help="Send load by aiperf here, or by vllm beside the engine.")
]
CoolTo = Annotated[
    float | None,
    typer.Option(min=20, max=100, help="Wait before each run until the GPUs are below, in °C."),
]
EvenSo = Annotated[
    bool, typer.Option("--even-so", help="Measure sick nodes too, and mark the result.")
]


def run(
    stack: options.StackFile,
    service: ServiceName = None,
    profile: ProfileName = DEFAULT_PROFILE,
    prompts: Prompts = None,
    input_tokens: InputTokens = None,
    output_tokens: OutputTokens = None,
    concurrency: OpenRequests = None,
    rate: Rate = None,
    sweep: Sweep = None,
    depth: Depth = None,
    goodput: GoodputLimits = None,
    runs: Runs = 1,
    scale: Scale = 1.0,
    seed: Seed = None,
    out: OutFolder = None,
    url: ApiUrl = None,
    time_limit: TimeLimit = 7200.0,
    cool_to: CoolTo = None,
    driver: DriverName = AIPERF,
    even_so: EvenSo = False,
    calibrate: Calibrate = False,
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
    options.require(*check_question(question), options.check_choice("--driver", driver, DRIVERS))
    limits, loads = parse_goodput(goodput), build_loads(question)
    way = BenchWay(runs, out or Path(name_folder()), url, time_limit, even_so, cool_to, driver)
    code = bench_service(load_declared_stack(stack), service, loads, limits, way)
    if calibrate and (way.folder / RESULT).exists():
        take_calibration(way.folder)
    raise typer.Exit(code)


def take_calibration(folder: Path) -> None:
    """What can be learnt of the result, into the user's own file."""
    from sparkform.commands.calibration.command import read_measured

    measured = read_measured(folder)
    add_measured(measured)
    fits = fit_classes(load_measured())
    fit = fits[measured[0].calibration_class]
    error = fit.leave_one_out
    by_others = "unknown" if error is None else f"{error:.1%}"
    print(
        f"calibration of {fit.calibration_class.build}: {fit.count} measurements; median error of "
        f"each by the others: {by_others}"
    )


class BenchWay(NamedTuple):
    """How loads are sent, and where the result goes."""

    runs: int
    folder: Path
    url: str | None
    time_limit_s: float
    even_so: bool
    cool_to_c: float | None = None
    driver: str = AIPERF


def bench_service(
    declared: DeclaredStack,
    service: str | None,
    loads: tuple[Load, ...],
    goodput: Goodput | None,
    way: BenchWay,
) -> int:
    """The exit code."""
    from sparkform.commands.bench.failure import BenchError
    from sparkform.commands.bench.work import BenchRequest, run_benchmark

    request = BenchRequest(
        declared=declared,
        service=service,
        loads=loads,
        goodput=goodput,
        runs=way.runs,
        folder=way.folder,
        url=way.url.rstrip("/") if way.url else None,
        time_limit_s=way.time_limit_s,
        even_so=way.even_so,
        cool_to_c=way.cool_to_c,
        driver=way.driver,
    )
    try:
        with tempfile.TemporaryDirectory(prefix="sparkform-bench-") as scratch:
            return run_benchmark(request, Path(scratch))
    except BenchError as error:
        print(error, file=sys.stderr)
        return options.FINDINGS


def name_folder() -> str:
    return time.strftime("bench-%Y%m%d-%H%M%S")


def draw_seed() -> int:
    """Another one each time: prompts of an earlier run would be answered by the prefix cache."""
    return random.SystemRandom().randint(DEFAULT_SEED, LARGEST_SEED)
