"""A model's tokenizer is read where the model lies; weights and code never leave the node."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from node.errors import StepError
from node.verbs import tokenizer
from tests.support.fake_spark import FakeSpark

COMMIT = "a" * 40
ROOT = "/models/hub/models--tiny--known"


def ask(spark: FakeSpark, **request: Any) -> dict[str, Any]:
    words = {"model_directory": "/models", "handle": "tiny/known"} | request
    (line,) = tokenizer.main(spark.system, [json.dumps(words)], "")
    document: dict[str, Any] = json.loads(line)
    return document


def put_model(spark: FakeSpark, root: str = ROOT) -> None:
    spark.system.put(f"{root}/refs/main", COMMIT)
    for name in ("tokenizer.json", "config.json", "model.safetensors", "tokenization_own.py"):
        spark.system.put(f"{root}/snapshots/{COMMIT}/{name}", f"the {name}")


def test_the_tokenizer_comes_with_its_commit_and_without_weights_or_code(
    spark: FakeSpark,
) -> None:
    put_model(spark)
    document = ask(spark)
    assert document["commit"] == COMMIT
    assert set(document["files"]) == {"tokenizer.json", "config.json"}
    assert base64.b64decode(document["files"]["tokenizer.json"]) == b"the tokenizer.json"


def test_a_cache_without_hub_and_a_folder_of_the_users_own_are_read_too(spark: FakeSpark) -> None:
    put_model(spark, "/models/models--tiny--known")
    assert ask(spark)["folder"].startswith("/models/models--tiny--known/")
    spark.system.put("/srv/own/tokenizer.model", "pieces")
    document = ask(spark, folder="/srv/own", handle="")
    assert (document["folder"], document["commit"]) == ("/srv/own", None)


@pytest.mark.parametrize("request_", [{"handle": "other/model"}, {"folder": "/srv/empty"}])
def test_where_there_is_none_it_is_said(spark: FakeSpark, request_: dict[str, str]) -> None:
    put_model(spark)
    with pytest.raises(StepError, match="has no tokenizer on this node"):
        ask(spark, **request_)


def test_another_request_is_refused(spark: FakeSpark) -> None:
    with pytest.raises(StepError, match="needs a request in JSON"):
        tokenizer.main(spark.system, ["{"], "")
