"""The schema for editors: made from the models, at one with the parser, found from the files."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sparkform.config.declaration import Declaration
from sparkform.config.json_schema import SCHEMA_FILE, render_schema
from sparkform.config.stack_file import MODELINE
from sparkform.config.stack_yaml import read_yaml
from tests.unit.config.support import STACKS, build_cluster, trtllm, vllm
from tests.unit.config.test_reference import REFERENCE, read_all_keys

SCHEMA = json.loads(SCHEMA_FILE.read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
CIPHER = {"secure": "v1:abc"}


def list_errors(config: object) -> list[str]:
    """What the schema says of the keys below `config`."""
    return [error.message for error in VALIDATOR.iter_errors({"config": config})]


def build_config(**services: object) -> dict[str, Any]:
    return {"sparkform:cluster": build_cluster(), "sparkform:services": services}


def test_the_committed_schema_is_what_the_models_say() -> None:
    hint = "run `python -m sparkform.config.json_schema > sparkform/config/schema.json`"
    assert SCHEMA_FILE.read_text() == render_schema(), hint
    Draft202012Validator.check_schema(SCHEMA)


def test_pydantic_itself_can_write_the_schema_of_a_declaration() -> None:
    assert Declaration.model_json_schema()["required"] == ["cluster", "services"]


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.name)
def test_the_stack_files_of_the_repository_are_valid(path: Path) -> None:
    assert list(VALIDATOR.iter_errors(read_yaml(path.read_text()))) == []


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.name)
def test_editors_find_the_schema_from_the_stack_files(path: Path) -> None:
    first_line = path.read_text().splitlines()[0]
    assert first_line == MODELINE
    assert (path.parent / MODELINE.partition("$schema=")[2]).samefile(SCHEMA_FILE)


def test_every_key_of_the_reference_file_is_known_to_the_schema() -> None:
    assert list_errors(read_all_keys(REFERENCE.read_text())) == []


def test_a_number_may_be_a_float_as_pulumi_hands_it_on() -> None:
    assert list_errors(build_config(qwen=trtllm(port=8355.0, freeGpuMemoryFraction=1))) == []


def test_keys_of_other_programs_are_theirs() -> None:
    assert list_errors(build_config() | {"aws:region": 5, "sparkform:hfToken": CIPHER}) == []


REFUSED = [
    {},
    {"sparkform:cluster": None},
    build_config() | {"sparkform:hfToken": "hf_plain"},
    build_config() | {"sparkform:hfTken": CIPHER},
    build_config(qwen={}),
    build_config(Qwen=vllm()),
    build_config(qwen=vllm(port=0)),
    build_config(qwen=vllm(port="8000")),
    build_config(qwen=vllm(engine="sglang")),
    build_config(qwen=vllm(allReduce="NCCL")),
    build_config(qwen=vllm(image=None)),
    build_config(qwen=vllm(environment={"A-B": "x"})),
    build_config(qwen=trtllm(cudaGraph="off")),
    {"sparkform:cluster": build_cluster(fabric={"topology": "swich"})},
    {"sparkform:cluster": build_cluster(fabric={"topology": "direct", "mtu": 9001})},
    {"sparkform:cluster": build_cluster(0)},
    {"sparkform:cluster": build_cluster(9)},
    {"sparkform:cluster": build_cluster(model_directory="/srv")},
]


@pytest.mark.parametrize("config", REFUSED, ids=str)
def test_what_the_parser_refuses_for_its_form_the_schema_refuses_too(config: object) -> None:
    assert list_errors(config)
    assert list_errors(build_config(qwen=vllm(), large=trtllm())) == []


def test_what_holds_without_a_key_stands_in_its_description() -> None:
    node = SCHEMA["$defs"]["Node"]["properties"]
    assert node["user"]["description"] == "Login on this node. When absent: cluster.user."
    assert node["port"]["default"] == 22
    assert "default" not in node["user"]


def test_a_changed_model_would_be_seen() -> None:
    """The control: the comparison with the committed text sees one limit."""
    changed = copy.deepcopy(SCHEMA)
    changed["$defs"]["Node"]["properties"]["port"]["maximum"] = 65536
    assert json.dumps(changed, indent=1, ensure_ascii=False) + "\n" != render_schema()
