"""`sparkform recommend`: a service block for a model, with the reasons and what was rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparkform.commands import options

if TYPE_CHECKING:
    from sparkform.catalogue.describe import DescribedModel
    from sparkform.errors import Problem
    from sparkform.sizing.recommend import Candidate, Recommendation, ServingRequest

# Without --context the longest of these that fits is taken.
USUAL_CONTEXTS = (32768, 16384, 8192, 4096, 2048)
LARGEST_CONTEXT = 16 * 2**20
LARGEST_CONCURRENCY = 65536


def command(
    model: options.ModelName,
    config: options.ConfigFile = None,
    model_facts: options.FactsFile = None,
    quant: options.Quant = None,
    nodes: Annotated[int, typer.Option(help="Nodes that may be used.")] = 1,
    context: Annotated[int | None, typer.Option(help="Tokens a sequence must hold.")] = None,
    concurrency: Annotated[int, typer.Option(help="Requests at once.")] = 1,
    link: options.Link = "direct",
    hardware: options.HardwareName = "gb10-128",
    as_json: options.AsJson = False,
) -> None:
    """Recommend how to serve a model, as a service block that can be pasted into a stack file."""
    from sparkform.catalogue.describe import MOST_NODES, describe_model
    from sparkform.sizing.checkpoint_offers import (
        list_own_offers,
        list_release_offers,
        recommend_among,
    )

    options.require(
        options.check_range("--nodes", nodes, 1, MOST_NODES),
        options.check_range("--context", context, 1, LARGEST_CONTEXT),
        options.check_range("--concurrency", concurrency, 1, LARGEST_CONCURRENCY),
    )
    subject = describe_model(model, config=config, facts=model_facts, quant=quant)
    options.require(_check_model_context(context, subject.shape.max_position))
    by_family = model.lower() == (subject.entry.model.name if subject.entry else None)
    offers = list_release_offers if by_family and quant is None else list_own_offers
    for tokens in (context,) if context else _list_usual_contexts(subject.shape.max_position):
        request = _build_request(nodes, tokens, concurrency)
        answer = recommend_among(subject.shape, offers(subject), request, link, hardware)
        if answer.chosen:
            break
    show = options.print_json if as_json else _print_block
    show(build_document(subject, answer, request))
    if answer.chosen is None:
        raise typer.Exit(1)


def _list_usual_contexts(longest: int | None) -> list[int]:
    return sorted({min(tokens, longest or tokens) for tokens in USUAL_CONTEXTS}, reverse=True)


def _build_request(nodes: int, context: int, concurrency: int) -> ServingRequest:
    from sparkform.sizing.recommend import ServingRequest
    from sparkform.sizing.row_request import USUAL_OUTPUT_TOKENS, USUAL_PROMPT_TOKENS

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


def build_document(
    subject: DescribedModel, answer: Recommendation, request: ServingRequest
) -> dict[str, Any]:
    """The recommendation as JSON: `service` is the block's content, or null where nothing fits."""
    from sparkform.sizing.checkpoint_offers import build_service_block, list_reasons

    chosen = answer.chosen
    return {
        "model": subject.name,
        "service": build_service_block(chosen, request) if chosen else None,
        "predicted": _describe_prediction(chosen) if chosen else None,
        "reasons": list_reasons(chosen, request) if chosen else [],
        "rejected": [{"way": item.way, "reason": item.reason} for item in answer.rejected],
    }


def _describe_prediction(chosen: Candidate) -> dict[str, Any]:
    speed = chosen.speed
    return {
        "decode_tok_s": round(speed.decode_tok_s, 2),
        "per_request_tok_s": round(speed.per_request_tok_s, 2),
        "ttft_s": round(speed.ttft_s, 3),
        "bound": speed.bound,
    }


def _print_block(answer: dict[str, Any]) -> None:
    import yaml

    if answer["service"]:
        print(yaml.safe_dump({"sparkform:services": {"main": answer["service"]}}, sort_keys=False))
    else:
        print(f"nothing fits {answer['model']} on so few nodes")
    for reason in answer["reasons"]:
        print(f"because {reason}")
    for item in answer["rejected"]:
        print(f"not {item['way']}: {item['reason']}")
