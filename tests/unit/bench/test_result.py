"""The schema that is committed is that of the code, and holds what the code writes."""

from __future__ import annotations

import json
from importlib import resources

import jsonschema
import pytest

from sparkform.bench.result import BenchmarkResult, build_schema
from tests.support.bench_results import build_measurement, build_requests, build_result

SCHEMA = json.loads(
    resources.files("sparkform.bench").joinpath("data", "result.schema.json").read_text()
)
REMEDY = "python -m sparkform.bench.result > sparkform/bench/data/result.schema.json"


def test_the_committed_schema_is_that_of_the_code() -> None:
    assert build_schema() == SCHEMA, REMEDY


def test_a_result_is_valid_and_read_back_the_same() -> None:
    result = build_result(build_measurement(build_requests(), build_requests((1.0, 1.5))))
    text = result.model_dump_json(by_alias=True)
    jsonschema.validate(json.loads(text), SCHEMA)
    assert BenchmarkResult.model_validate_json(text) == result


def test_a_damaged_result_is_not() -> None:
    document = json.loads(build_result().model_dump_json(by_alias=True))
    document["measurements"][0]["load"]["inputTokens"] = "many"
    with pytest.raises(jsonschema.ValidationError, match="many"):
        jsonschema.validate(document, SCHEMA)
