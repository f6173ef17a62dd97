"""A row of speeds (the keys of benchmarks/data/speeds.json) as a request to the speed model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, ValidationError

from sparkform.catalogue.describe import DescribedModel
from sparkform.errors import InputError, Problem
from sparkform.models.json_input import list_problems, load_json
from sparkform.sizing.calibration import load_calibration
from sparkform.sizing.drafts import MOST_DRAFT_TOKENS, build_draft_plan
from sparkform.sizing.memory_budget import get_cache_element_bytes
from sparkform.sizing.node_memory import require_engine
from sparkform.sizing.split import Cut
from sparkform.sizing.throughput import NodePerformance, Traffic, predict_speed
from sparkform.sizing.throughput_load import ServedModel
from sparkform.sizing.throughput_ranges import Prediction, add_range

# What a source that names no lengths is taken to have sent: a short question, a short answer.
USUAL_PROMPT_TOKENS = 128
USUAL_OUTPUT_TOKENS = 256


def _replace_null_with_one(value: object) -> object:
    return 1 if value is None else value


CountOrOne = Annotated[PositiveInt, BeforeValidator(_replace_null_with_one)]


class RowRequest(BaseModel):
    """The keys of a row that say what was run; its other keys are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    engine: str = "vllm"
    tp: CountOrOne = 1
    pp: CountOrOne = 1
    dp: CountOrOne = 1
    kv_cache: str = "auto"
    concurrency: CountOrOne = 1
    prompt_tokens: Annotated[int, Field(ge=0)] | None = None
    output_tokens: PositiveInt | None = None
    eager: bool = False
    moe_backend: str | None = None
    speculative: str | None = None
    draft_tokens: Annotated[int, Field(ge=0, le=MOST_DRAFT_TOKENS)] = 0


def _parse_request(row: Mapping[str, object]) -> RowRequest:
    try:
        return RowRequest.model_validate(row)
    except ValidationError as error:
        raise InputError(list_problems(error, f"row {row.get('id', '')}")) from None


def build_row_model(subject: DescribedModel, row: Mapping[str, object]) -> ServedModel:
    """The row's model, cut as the row says. Raises InputError for values that make no sense."""
    request = _parse_request(row)
    return ServedModel(
        shape=subject.shape,
        quantisation=subject.quantisation,
        cut=Cut(tensor_parallel=request.tp, pipeline_parallel=request.pp),
        engine=require_engine(request.engine, "row: engine"),
        cache_element_bytes=get_cache_element_bytes(request.kv_cache),
        kernel=(request.moe_backend or "").lower(),
        eager=request.eager,
        drafts=build_draft_plan(
            subject.shape,
            subject.quantisation,
            request.speculative,
            request.draft_tokens,
            subject.draft_gib,
        ),
    )


def build_row_traffic(row: Mapping[str, object]) -> Traffic:
    """The row's requests. Raises InputError for values that make no sense."""
    request = _parse_request(row)
    prompt, output = request.prompt_tokens, request.output_tokens
    return Traffic(
        concurrency=request.concurrency,
        prompt_tokens=USUAL_PROMPT_TOKENS if prompt is None else prompt,
        output_tokens=USUAL_OUTPUT_TOKENS if output is None else output,
        replicas=request.dp,
    )


def predict_row(
    subject: DescribedModel, row: Mapping[str, object], machine: NodePerformance
) -> Prediction:
    """The prediction for a row, with the range of its class."""
    fitted_model = load_calibration()
    model = build_row_model(subject, row)
    speed = predict_speed(model, build_row_traffic(row), machine, fitted_model.parameters)
    return add_range(model, speed, fitted_model.spreads)


def load_request_rows(path: Path) -> list[dict[str, object]]:
    """A JSON list of rows. Raises InputError for anything else."""
    rows = load_json(path)
    if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
        return rows
    problem = Problem(
        path=str(path), message="is not a list of rows", allowed="a JSON list of objects"
    )
    raise InputError([problem])
