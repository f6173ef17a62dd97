"""A row of speeds (the keys of benchmarks/data/speeds.json) as a request to the speed model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, ValidationError

from sparkform.catalog.calibration import known_engine
from sparkform.catalog.describe import Subject
from sparkform.errors import InputError, Problem
from sparkform.planner.sizing_split import Cut
from sparkform.planner.throughput import Traffic
from sparkform.planner.throughput_load import Model

# What a source that names no lengths is taken to have sent: a short question, a short answer.
USUAL_PROMPT_TOKENS = 128
USUAL_OUTPUT_TOKENS = 256


def _or_one(value: object) -> object:
    return 1 if value is None else value


One = Annotated[PositiveInt, BeforeValidator(_or_one)]


class RowRequest(BaseModel):
    """The keys of a row that say what was run; its other keys are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    engine: str = "vllm"
    tp: One = 1
    pp: One = 1
    dp: One = 1
    concurrency: One = 1
    prompt_tokens: Annotated[int, Field(ge=0)] | None = None
    output_tokens: PositiveInt | None = None


def _request(row: Mapping[str, object]) -> RowRequest:
    try:
        return RowRequest.model_validate(row)
    except ValidationError as error:
        raise InputError(
            [
                Problem(
                    path=f"row {row.get('id', '')}: {item['loc'][0]}",
                    what=item["msg"][:1].lower() + item["msg"][1:],
                    got=repr(item["input"])[:60],
                )
                for item in error.errors(include_url=False)
            ]
        ) from None


def model_of_row(subject: Subject, row: Mapping[str, object]) -> Model:
    """The row's model, cut as the row says. Raises InputError for values that make no sense."""
    request = _request(row)
    return Model(
        shape=subject.shape,
        quantisation=subject.quantisation,
        cut=Cut(tensor_parallel=request.tp, pipeline_parallel=request.pp),
        engine=known_engine(request.engine, "row: engine"),
    )


def traffic_of_row(row: Mapping[str, object]) -> Traffic:
    """The row's requests. Raises InputError for values that make no sense."""
    request = _request(row)
    prompt, output = request.prompt_tokens, request.output_tokens
    return Traffic(
        concurrency=request.concurrency,
        prompt_tokens=USUAL_PROMPT_TOKENS if prompt is None else prompt,
        output_tokens=USUAL_OUTPUT_TOKENS if output is None else output,
        replicas=request.dp,
    )
