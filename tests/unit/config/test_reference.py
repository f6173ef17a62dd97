"""Models, reference file and docs name the same keys, and the example files are good."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sparkform.config import BLOCKS, SECRET_KEYS, load_stack
from sparkform.config.cluster import Cluster
from sparkform.config.gateway import Gateway
from sparkform.config.monitoring import Monitoring
from sparkform.config.parse import parse_config
from sparkform.config.reference import describe_default, render_reference
from sparkform.config.section import Section, find_section, get_fields_by_key
from sparkform.config.service import TrtllmService, VllmService
from sparkform.config.stack_yaml import read_yaml
from sparkform.errors import InputError
from tests.unit.config.support import ROOT, STACKS

REFERENCE = ROOT / "Pulumi.spark.yaml"
OPTIONAL = re.compile(r"^(\s*)#(?=[^\s#])", re.MULTILINE)


def read_all_keys(text: str) -> dict[str, Any]:
    """The configuration of a reference file with its optional keys switched on."""
    document = read_yaml(OPTIONAL.sub(r"\1", text))
    assert isinstance(document, dict)
    config = document["config"]
    assert isinstance(config, dict)
    return config


def list_model_paths(model: type[Section], parent: str) -> Iterator[str]:
    """The path of every key of a block and of the blocks inside, list items as []."""
    for key, field in get_fields_by_key(model).items():
        yield f"{parent}.{key}"
        inner = find_section(field.annotation)
        if inner is not None:
            yield from list_model_paths(inner, f"{parent}.{key}")


def list_file_paths(value: object, parent: str) -> Iterator[str]:
    """The path of every key in plain data, whatever a list item's position."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield f"{parent}.{key}"
            yield from list_file_paths(item, f"{parent}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from list_file_paths(item, parent)


def find_missing_keys(text: str) -> set[str]:
    """Keys of the models that a reference file does not show."""
    config = read_all_keys(text)
    services = config["sparkform:services"]
    blocks: list[tuple[type[Section], Any, str]] = [
        (Cluster, config["sparkform:cluster"], "cluster"),
        (TrtllmService, services["qwen"], "qwen"),
        (Monitoring, config.get("sparkform:monitoring"), "monitoring"),
        (Gateway, config.get("sparkform:gateway"), "gateway"),
    ]
    vllm_keys = set(get_fields_by_key(VllmService)) - set(get_fields_by_key(TrtllmService)) | {
        "moeBackend"
    }
    shown = set(list_file_paths(services.get("gpt-oss"), "gpt-oss"))
    expected = {
        path for path in list_model_paths(VllmService, "gpt-oss") if path.split(".")[1] in vllm_keys
    }
    missing = expected - shown
    for model, block, name in blocks:
        missing |= set(list_model_paths(model, name)) - set(list_file_paths(block, name))
    return missing | {key for key in SECRET_KEYS if f"sparkform:{key}" not in config}


def test_the_reference_file_shows_every_key_of_the_models() -> None:
    assert find_missing_keys(REFERENCE.read_text()) == set()


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("#takeOver: false", "cluster.swarm.takeOver"),
        ("#qsfpPort: auto", "cluster.nodes.qsfpPort"),
        ("#reason: this image was proven on this rack for a week", "cluster.waive.reason"),
        ("#autotuner: true", "qwen.autotuner"),
        ("#launcher: mp", "gpt-oss.launcher"),
        ("#tokens: 3", "gpt-oss.speculative.tokens"),
        ("#bodyMib: 32", "gateway.limits.bodyMib"),
        ("#retentionDays: 15", "monitoring.retentionDays"),
        ("#nodeExporter: 9100", "monitoring.ports.nodeExporter"),
    ],
)
def test_a_key_taken_out_of_the_reference_file_is_missed(line: str, path: str) -> None:
    text = REFERENCE.read_text()
    assert text.count(line) == 1
    assert find_missing_keys(text.replace(line, "")) == {path}


def test_switched_on_all_at_once_only_the_keys_that_exclude_each_other_are_refused() -> None:
    config = read_all_keys(REFERENCE.read_text())
    with pytest.raises(InputError) as caught:
        parse_config(*(config[f"sparkform:{block}"] for block in BLOCKS))
    assert {problem.path for problem in caught.value.problems} == {
        "services.qwen.revision",
        "services.gpt-oss.nodes",
    }


def list_shown_defaults(
    value: dict[str, Any], model: type[Section], text: str
) -> Iterator[tuple[str, Any, Any]]:
    """Key, shown value and default of each optional key that has a plain default."""
    for key, field in get_fields_by_key(model).items():
        block = find_section(field.annotation)
        if key not in value:
            continue
        if block is not None and isinstance(value[key], dict):
            yield from list_shown_defaults(value[key], block, text)
        elif block is None and describe_default(field).startswith("`") and f"#{key}:" in text:
            default = field.get_default(call_default_factory=True, validated_data={})
            yield key, value[key], list(default) if isinstance(default, tuple) else default


def test_an_optional_key_with_a_default_shows_it() -> None:
    text = REFERENCE.read_text()
    config = read_all_keys(text)
    blocks: list[tuple[Any, type[Section]]] = [
        (config["sparkform:cluster"], Cluster),
        (config["sparkform:services"]["qwen"], TrtllmService),
        (config["sparkform:services"]["gpt-oss"], VllmService),
        (config["sparkform:monitoring"], Monitoring),
        (config["sparkform:gateway"], Gateway),
    ]
    defaults = [row for block, model in blocks for row in list_shown_defaults(block, model, text)]
    assert len(defaults) > 15
    assert [row for row in defaults if row[1] != row[2]] == []


def test_the_docs_are_what_the_models_say() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert page == render_reference(), (
        "run `python -m sparkform.config.reference > docs/configuration.md`"
    )
    for path in (*list_model_paths(Cluster, ""), *list_model_paths(TrtllmService, "")):
        assert f"| `{path.rsplit('.', 1)[1]}` |" in page


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.name)
def test_the_example_files_are_good(path: Path) -> None:
    declared = load_stack(path)
    (service,) = declared.services.values()
    ranks = service.tensor_parallel * service.pipeline_parallel * service.data_parallel
    assert ranks == len(declared.active_nodes)


def test_the_example_files_declare_what_their_names_say() -> None:
    direct, switch = (load_stack(path) for path in STACKS)
    assert (direct.cluster.fabric.topology, direct.swarm_enabled) == ("direct", True)
    assert (switch.cluster.fabric.topology, switch.swarm_enabled) == ("switch", False)
    assert direct.services["qwen"].engine == "trtllm"
    assert switch.services["qwen"].engine == "vllm"
