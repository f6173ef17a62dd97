"""`sparkform recommend`: a service block for a model, with the reasons and what was rejected."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from sparkform.catalogue.describe import MOST_NODES, describe_model
from sparkform.commands import options
from sparkform.commands.json_output import print_json
from sparkform.commands.lazy import import_lazily
from sparkform.commands.rack_speed import describe_rack_speed
from sparkform.commands.recommend.report import RecommendationReport, build_report
from sparkform.errors import Problem
from sparkform.sizing.checkpoint_offers import (
    list_own_offers,
    list_release_offers,
    recommend_among,
)
from sparkform.sizing.recommend import Recommendation, ServingRequest
from sparkform.sizing.row_request import USUAL_OUTPUT_TOKENS, USUAL_PROMPT_TOKENS

if TYPE_CHECKING:
    import yaml
else:
    yaml = import_lazily("yaml")

# Without --context the longest of these that fits is taken.
USUAL_CONTEXTS = (32768, 16384, 8192, 4096, 2048)
LARGEST_CONTEXT = 16 * 2**20
LARGEST_CONCURRENCY = 65536


def run(
    model: options.ModelName,
    config: options.ConfigFile = None,
    model_facts: options.ModelFactsFile = None,
    quant: options.Quant = None,
    nodes: Annotated[int, typer.Option(help="Use at most this many nodes.")] = 1,
    context: options.Context = None,
    concurrency: options.Concurrency = 1,
    link: options.Link = "direct",
    hardware: options.HardwareName = "gb10-128",
    as_json: options.AsJson = False,
) -> None:
    """The block can be pasted into a stack file."""
    options.require(
        options.check_range("--nodes", nodes, 1, MOST_NODES),
        options.check_range("--context", context, 1, LARGEST_CONTEXT),
        options.check_range("--concurrency", concurrency, 1, LARGEST_CONCURRENCY),
    )
    subject = describe_model(model, config=config, facts=model_facts, quant=quant)
    options.require(_check_model_context(context, subject.shape.max_position))
    by_family = model.lower() == (subject.entry.model.name if subject.entry else None)
    list_offers = list_release_offers if by_family and quant is None else list_own_offers
    for tokens in (context,) if context else _list_usual_contexts(subject.shape.max_position):
        request = _build_request(nodes, tokens, concurrency)
        offers = list_offers(subject)
        recommendation = recommend_among(subject.shape, offers, request, link, hardware)
        if recommendation.chosen:
            break
    show = print_json if as_json else print_block
    report = build_report(subject.name, recommendation, request)
    show(add_rack_speed(report, recommendation, concurrency))
    if recommendation.chosen is None:
        raise typer.Exit(options.FINDINGS)


def _list_usual_contexts(longest: int | None) -> list[int]:
    return sorted({min(tokens, longest or tokens) for tokens in USUAL_CONTEXTS}, reverse=True)


def _build_request(nodes: int, context: int, concurrency: int) -> ServingRequest:
    return ServingRequest(
        nodes=nodes,
        context=context,
        concurrency=concurrency,
        prompt_tokens=USUAL_PROMPT_TOKENS,
        output_tokens=USUAL_OUTPUT_TOKENS,
    )


def _check_model_context(context: int | None, longest: int | None) -> Problem | None:
    if context is None or longest is None:
        return None
    return options.check_range("--context", context, 1, longest)


def add_rack_speed(
    report: RecommendationReport, recommendation: Recommendation, concurrency: int
) -> RecommendationReport:
    """With a further reason where this user's racks measured the chosen engine."""
    chosen = recommendation.chosen
    if chosen is None or report.predicted is None:
        return report
    family = chosen.offer.quantisation.family
    tok_s = report.predicted.decode_tok_s
    measured = describe_rack_speed(tok_s, chosen.offer.engine, family, None, concurrency)
    return replace(report, reasons=[*report.reasons, measured]) if measured else report


def print_block(report: RecommendationReport) -> None:
    if report.service:
        block = {"sparkform:services": {"main": report.service}}
        print(yaml.safe_dump(block, sort_keys=False))
    else:
        print(f"nothing fits {report.model} on so few nodes")
    for reason in report.reasons:
        print(f"because {reason}")
    for item in report.rejected:
        print(f"not {item.way}: {item.reason}")
