"""`sparkform predict`: how fast a model decodes and how soon it answers, for one case or many."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from sparkform.catalogue.describe import DescribedModel, apply_image, describe_model
from sparkform.catalogue.store import DEFAULT_HARDWARE
from sparkform.commands import options
from sparkform.commands.calibration_file import load_measured
from sparkform.commands.json_output import print_json
from sparkform.commands.predict.report import (
    CalibratedReport,
    CalibratedSpeed,
    PredictionReport,
    SpeedQuestion,
    answer_row,
    calibrate,
    predict_question,
)
from sparkform.errors import Problem
from sparkform.sizing.calibration import build_machine
from sparkform.sizing.rack_calibration import find_fit, fit_classes
from sparkform.sizing.row_request import load_request_rows
from sparkform.sizing.throughput import NodePerformance

LARGEST_CONCURRENCY = 65536
LARGEST_PROMPT = 16 * 2**20

FULL_GBPS = 200
LinkGbps = Annotated[int, typer.Option(help="Assume links of this many Gb/s.")]
OptionalModelName = Annotated[
    str | None,
    typer.Argument(metavar="MODEL", help="Take a model by its handle or catalogue name."),
]
RowsFile = Annotated[
    Path | None, typer.Option("--batch", help="Predict each row of a JSON file instead of MODEL.")
]
TensorParallel = Annotated[
    int | None, typer.Option("--tp", help="Set the tensor parallelism instead of choosing it.")
]
PipelineParallel = Annotated[
    int | None, typer.Option("--pp", help="Set the pipeline parallelism instead of choosing it.")
]

Prompt = Annotated[int | None, typer.Option(help="Assume prompts of this many tokens.")]
Output = Annotated[int | None, typer.Option(help="Assume answers of this many tokens.")]
Image = Annotated[str | None, typer.Option(help="Assume an image, as some convert weights.")]
MoeBackend = Annotated[str | None, typer.Option(help="Assume vLLM's expert kernels of this name.")]


def run(
    model: OptionalModelName = None,
    config: options.ConfigFile = None,
    model_facts: options.ModelFactsFile = None,
    quant: options.Quant = None,
    engine: options.Engine = "vllm",
    nodes: Annotated[int, typer.Option(help="Assume a service of this many nodes.")] = 1,
    tp: TensorParallel = None,
    pp: PipelineParallel = None,
    concurrency: options.Concurrency = 1,
    prompt: Prompt = None,
    output: Output = None,
    kv_cache: options.KvCache = "auto",
    link: options.Link = "direct",
    link_gbps: LinkGbps = FULL_GBPS,
    hardware: options.HardwareName = "gb10-128",
    image: Image = None,
    eager: options.Eager = False,
    moe_backend: MoeBackend = None,
    speculative: options.SpeculativeOption = None,
    batch: RowsFile = None,
    as_json: options.AsJson = False,
) -> None:
    """With a file of rows the answer is JSON in any case."""
    machine = _build_linked_machine(link, hardware, link_gbps)
    if batch is not None:
        print_json([answer_row(row, machine) for row in load_request_rows(batch)])
        return
    options.require(_check_model(model), *_check_traffic(concurrency, prompt, output))
    subject = describe_model(str(model), config=config, facts=model_facts, quant=quant)
    drafts = options.parse_speculative(speculative)
    question = SpeedQuestion(
        engine=engine,
        nodes=nodes,
        tp=tp,
        pp=pp,
        concurrency=concurrency,
        prompt_tokens=prompt,
        output_tokens=output,
        kv_cache=kv_cache,
        image=image,
        eager=eager,
        moe_backend=moe_backend,
        speculative=drafts.method,
        draft_tokens=drafts.tokens,
    )
    report = _calibrate(predict_question(subject, question, machine), subject, question)
    print_json(report) if as_json else _print_sentence(report, subject.shape.notes)


def _calibrate(
    report: PredictionReport, subject: DescribedModel, question: SpeedQuestion
) -> PredictionReport:
    """With this user's own measurements, where there are some of this engine and quantisation."""
    family = apply_image(subject, question.image).quantisation.family
    fits = fit_classes(load_measured())
    fit = find_fit(fits, DEFAULT_HARDWARE, question.engine, family, question.image)
    return calibrate(report, fit, question.concurrency) if fit else report


def _check_model(model: str | None) -> Problem | None:
    remedy = "name a model or give --batch ROWS.json"
    return None if model else Problem(path="MODEL", message="is missing", remedy=remedy)


def _build_linked_machine(link: str, hardware: str, gbps: int) -> NodePerformance:
    options.require(options.check_range("--link-gbps", gbps, 1, FULL_GBPS))
    return build_machine(link, hardware, gbps / FULL_GBPS)


def _check_traffic(
    concurrency: int, prompt: int | None, output: int | None
) -> list[Problem | None]:
    return [
        options.check_range("--concurrency", concurrency, 1, LARGEST_CONCURRENCY),
        options.check_range("--prompt", prompt, 0, LARGEST_PROMPT),
        options.check_range("--output", output, 1, LARGEST_PROMPT),
    ]


def _print_sentence(report: PredictionReport, notes: Iterable[str]) -> None:
    low, high = report.range
    print(
        f"decode {report.decode_tok_s:.1f} tok/s in all, {report.per_request_tok_s:.1f} per "
        f"request (measured models of this class: {low:.1f} to {high:.1f}); first token after "
        f"{report.ttft_s:.2f} s; bound by {report.bound}"
    )
    if isinstance(report, CalibratedReport):
        print(format_calibrated(report.calibrated))
    for note in notes:
        print(f"estimated: {note}")


def format_calibrated(calibrated: CalibratedSpeed) -> str:
    low, high = calibrated.range
    count = calibrated.measurements
    error = calibrated.leave_one_out_error
    by_others = "" if error is None else f", each off by {error:.1%} by the others"
    return (
        f"on this rack, by {count} measurement{'s' * (count > 1)} of {calibrated.build}{by_others}:"
        f" decode {calibrated.decode_tok_s:.1f} tok/s in all ({low:.1f} to {high:.1f}), "
        f"{calibrated.per_request_tok_s:.1f} per request; first token after "
        f"{calibrated.ttft_s:.2f} s"
    )
