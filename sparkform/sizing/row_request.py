"""A row of speeds (the keys of benchmarks/data/speeds.json) as a request to the speed model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, ValidationError

from sparkform.catalogue.describe import Subject
from sparkform.errors import InputError, Problem
from sparkform.sizing.calibration import calibration
from sparkform.sizing.fit import cache_element_bytes
from sparkform.sizing.node_memory import known_engine
from sparkform.sizing.split import Cut
from sparkform.sizing.throughput import Machine, Traffic, predict
from sparkform.sizing.throughput_load import Model
from sparkform.sizing.throughput_ranges import Prediction, with_range

# What a source that names no lengths is taken to have sent: a short question, a short answer.
USUAL_PROMPT_TOKENS = 128
USUAL_OUTPUT_TOKENS = 256


def _or_one(value: object) -> object:
    return 1 if value is None else value


One = Annotated[PositiveInt, BeforeValidator(_or_one)]


class RowRequest(BaseModel):
    """The keys of a row that say what was run; its other keys are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    engine: str = "vllm"
    tp: One = 1
    pp: One = 1
    dp: One = 1
    kv_cache: str = "auto"
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
        cache_element_bytes=cache_element_bytes(request.kv_cache),
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


def predict_row(subject: Subject, row: Mapping[str, object], on: Machine) -> Prediction:
    """The prediction for a row, with the range of its class."""
    fitted = calibration()
    model = model_of_row(subject, row)
    speed = predict(model, traffic_of_row(row), on, fitted.parameters)
    return with_range(model, speed, fitted.spreads)


def load_request_rows(path: Path) -> list[dict[str, Any]]:
    """A JSON list of rows. Raises InputError for anything else."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            [Problem(path=str(path), what=f"cannot be read: {error.strerror or error}")]
        ) from None
    except ValueError as error:
        problem = Problem(path=str(path), what="is not JSON", because=str(error))
        raise InputError([problem]) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        problem = Problem(
            path=str(path), what="is not a list of rows", allowed="a JSON list of objects"
        )
        raise InputError([problem])
    return rows
