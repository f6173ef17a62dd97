"""`sparkform predict`: how fast a model decodes and how soon it answers, for one case or many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparkform.commands import options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparkform.catalogue.describe import DescribedModel
    from sparkform.errors import Problem
    from sparkform.sizing.throughput import NodePerformance
    from sparkform.sizing.throughput_ranges import Prediction

DIGITS = 4
LARGEST_CONCURRENCY = 65536
LARGEST_PROMPT = 16 * 2**20


def command(
    model: Annotated[str | None, typer.Argument(metavar="MODEL")] = None,
    config: options.ConfigFile = None,
    model_facts: options.FactsFile = None,
    quant: options.Quant = None,
    engine: options.Engine = "vllm",
    nodes: Annotated[int, typer.Option(help="All nodes of the service.")] = 1,
    tp: Annotated[int | None, typer.Option(help="Tensor parallel.")] = None,
    pp: Annotated[int | None, typer.Option(help="Pipeline parallel.")] = None,
    concurrency: Annotated[int, typer.Option(help="Requests at once.")] = 1,
    prompt: Annotated[int | None, typer.Option(help="Tokens of a prompt.")] = None,
    output: Annotated[int | None, typer.Option(help="Tokens of an answer.")] = None,
    kv_cache: options.KvCache = "auto",
    link: options.Link = "direct",
    image: Annotated[str | None, typer.Option(help="An image that converts weights.")] = None,
    batch: Annotated[Path | None, typer.Option(help="A JSON file of rows.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Predict tokens a second and the time to the first token."""
    from sparkform.sizing.calibration import build_machine

    rack_machine = build_machine(link)
    if batch is not None:
        _show_rows(batch, rack_machine)
        return
    options.require(
        _check_model(model),
        options.check_range("--concurrency", concurrency, 1, LARGEST_CONCURRENCY),
        options.check_range("--prompt", prompt, 0, LARGEST_PROMPT),
        options.check_range("--output", output, 1, LARGEST_PROMPT),
    )
    from sparkform.catalogue.describe import describe_model

    subject = describe_model(str(model), config=config, facts=model_facts, quant=quant)
    row: dict[str, object] = {
        "engine": engine,
        "image": image,
        "concurrency": concurrency,
        "prompt_tokens": prompt,
        "output_tokens": output,
        "kv_cache": kv_cache,
    }
    prediction = _predict_cut(subject, row | {"nodes": nodes, "tp": tp, "pp": pp}, rack_machine)
    if as_json:
        options.print_json(build_document(prediction))
    else:
        _print_sentence(build_document(prediction), subject.shape.notes)


def _predict_cut(
    subject: DescribedModel, row: dict[str, Any], rack_machine: NodePerformance
) -> Prediction:
    """The prediction of a row whose `tp` and `pp` may be left to us."""
    from sparkform.catalogue.describe import apply_image
    from sparkform.sizing.row_request import predict_row
    from sparkform.sizing.split import choose_cut

    cut, replicas = choose_cut(subject.shape, row["nodes"], row["tp"], row["pp"])
    served = apply_image(subject, row["image"])
    filled = {"tp": cut.tensor_parallel, "pp": cut.pipeline_parallel, "dp": replicas}
    return predict_row(served, row | filled, rack_machine)


def build_document(prediction: Prediction) -> dict[str, Any]:
    """A prediction as JSON. Speeds are tokens a second, `range` is of `decode_tok_s`."""
    speed = prediction.speed
    ends = (prediction.decode_low_tok_s, prediction.decode_high_tok_s)
    return {
        "decode_tok_s": round(speed.decode_tok_s, DIGITS),
        "per_request_tok_s": round(speed.per_request_tok_s, DIGITS),
        "ttft_s": round(speed.ttft_s, DIGITS),
        "bound": speed.bound,
        "range": [round(end, DIGITS) for end in ends],
    }


def _check_model(model: str | None) -> Problem | None:
    from sparkform.errors import Problem as Missing

    if model:
        return None
    return Missing(
        path="MODEL", message="is missing", remedy="name a model or give --batch ROWS.json"
    )


def _print_sentence(answer: dict[str, Any], notes: Iterable[str]) -> None:
    low, high = answer["range"]
    print(
        f"decode {answer['decode_tok_s']:.1f} tok/s in all, "
        f"{answer['per_request_tok_s']:.1f} a request (measured models of this class: "
        f"{low:.1f} to {high:.1f}); first token after {answer['ttft_s']:.2f} s; "
        f"bound by {answer['bound']}"
    )
    for note in notes:
        print(f"estimated: {note}")


def _show_rows(path: Path, rack_machine: NodePerformance) -> None:
    """Print the rows with a prediction each; a row that cannot be answered says why instead."""
    from sparkform.sizing.row_request import load_request_rows

    options.print_json(
        [{**row, **_predict_answer(row, rack_machine)} for row in load_request_rows(path)]
    )


def _predict_answer(row: dict[str, Any], rack_machine: NodePerformance) -> dict[str, Any]:
    from sparkform.catalogue.describe import apply_image, describe_row
    from sparkform.errors import InputError
    from sparkform.sizing.row_request import predict_row

    image = row.get("image")
    try:
        subject = apply_image(describe_row(row), str(image) if image else None)
        return {"predicted": build_document(predict_row(subject, row, rack_machine))}
    except InputError as error:
        return {"predicted": None, "problem": str(error)}
