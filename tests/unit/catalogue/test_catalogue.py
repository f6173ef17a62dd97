"""The catalogue's files: complete, sourced, and true to the published parameter counts."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from sparkform.catalogue import store
from sparkform.catalogue.schema import CatalogueModel, Figure, HardwareFigures, ImageFigures
from sparkform.errors import InputError
from sparkform.models.config_reader import read_shape
from sparkform.models.quantisation import METHODS
from sparkform.models.shape import count_parameters
from sparkform.sizing.calibration import LINKS, build_machine
from sparkform.sizing.node_memory import ENGINES
from sparkform.sizing.throughput import MachineShares

PRESETS = (
    "nvidia/Qwen3-235B-A22B-FP4",
    "openai/gpt-oss-120b",
    "openai/gpt-oss-20b",
    "meta-llama/Llama-3.3-70B-Instruct",
    "Qwen/Qwen2.5-72B-Instruct",
    "Qwen/Qwen2.5-32B-Instruct",
    "mistralai/Mixtral-8x7B-Instruct-v0.1",
)
DOCUMENTS: dict[str, Any] = {
    path.name: json.loads(path.read_text()) for path in (store.DATA / "models").iterdir()
}
# Biases, draft layers and projectors that a config.json does not size.
TOLERANCE = 0.01
TOLERANCE_WITH_VISION = 0.025


def plant_change(change: Callable[[Any], object]) -> dict[str, object]:
    document: dict[str, object] = copy.deepcopy(DOCUMENTS["gpt-oss-120b.json"])
    change(document)
    return document


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_model_file_is_whole_and_every_figure_has_a_source(name: str) -> None:
    model = CatalogueModel.model_validate(DOCUMENTS[name])
    assert model.name == name.removesuffix(".json")
    assert {checkpoint.quant for checkpoint in model.checkpoints} <= set(METHODS)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["figures"][0].pop("source"),
        lambda document: document["figures"][0].update(source=""),
        lambda document: document["checkpoints"][0]["sources"].pop("quant"),
        lambda document: document["checkpoints"][0]["sources"].pop("bits"),
        lambda document: document["checkpoints"][0]["sources"].pop("gated"),
        lambda document: document["checkpoints"][0]["sources"].pop("revision"),
        lambda document: document["published_parameters"].pop("source"),
    ],
)
def test_a_planted_figure_without_source_is_found(change: Callable[[Any], object]) -> None:
    with pytest.raises(ValidationError):
        CatalogueModel.model_validate(plant_change(change))


def test_the_planted_document_is_valid_without_the_plant() -> None:
    CatalogueModel.model_validate(plant_change(lambda document: None))


def test_a_machine_or_image_figure_without_source_is_found() -> None:
    with pytest.raises(ValidationError):
        HardwareFigures.model_validate({"name": "x", "figures": {"memory_gib": {"value": 1}}})
    with pytest.raises(ValidationError):
        ImageFigures.model_validate(
            {"reference": "x", "engine": "vllm", "figures": {"ray": {"value": True, "source": ""}}}
        )


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_shape_has_as_many_parameters_as_were_published(name: str) -> None:
    model = CatalogueModel.model_validate(DOCUMENTS[name])
    published = model.published_parameters
    if published is None:
        pytest.skip("no source publishes a count")
    shape = read_shape(model.merge_config(), model.name)
    counted = count_parameters(shape) - (0 if published.with_vision else shape.vision)
    tolerance = TOLERANCE_WITH_VISION if published.with_vision else TOLERANCE
    assert counted == pytest.approx(published.value, rel=tolerance)


def test_the_count_test_finds_a_planted_layer() -> None:
    model = CatalogueModel.model_validate(
        plant_change(lambda document: document["figures"][0]["config"].pop("layer_types"))
    )
    config = model.merge_config() | {"num_hidden_layers": 37}
    assert model.published_parameters
    counted = count_parameters(read_shape(config, "planted"))
    assert counted != pytest.approx(model.published_parameters.value, rel=TOLERANCE)


def test_the_catalogue_has_the_models_that_it_must_have() -> None:
    names = set(store.list_names())
    assert names.issuperset(PRESETS)
    assert "hugging-quants/Meta-Llama-3.1-405B-Instruct-AWQ-INT4" in names
    assert len(DOCUMENTS) >= 25


def test_a_handle_stands_in_one_file_only() -> None:
    handles = [item["handle"] for file in DOCUMENTS.values() for item in file["checkpoints"]]
    assert len(handles) == len(set(handles))


def test_revisions_are_whole_commit_ids_and_the_common_models_have_one() -> None:
    revisions = {
        item["handle"]: item["revision"]
        for file in DOCUMENTS.values()
        for item in file["checkpoints"]
        if item["revision"]
    }
    assert all(re.fullmatch("[0-9a-f]{40}", revision) for revision in revisions.values())
    assert {"openai/gpt-oss-120b", "meta-llama/Llama-3.3-70B-Instruct"} <= set(revisions)


def test_gated_models_are_marked() -> None:
    gated = {
        item["handle"]
        for file in DOCUMENTS.values()
        for item in file["checkpoints"]
        if item["gated"]
    }
    meta = {name for name in store.list_names() if name.startswith("meta-llama/")}
    assert gated == meta


def test_what_rests_on_memory_says_so() -> None:
    for file in DOCUMENTS.values():
        for figures in file["figures"]:
            assert figures["verified"] is not ("from memory" in figures["source"])


OTHER_GPUS = ("h100", "h200", "l40s", "rtx-pro-6000")


def test_a_link_or_an_engine_is_no_hardware() -> None:
    for name in ("link-direct", "engine-vllm", "h300"):
        with pytest.raises(InputError) as refused:
            build_machine(hardware=name)
        [problem] = refused.value.problems
        assert problem.allowed == ", ".join(("gb10-128", "gb10-64", *OTHER_GPUS))
    assert store.get_machine("h200").name == "h200"


def test_what_was_fitted_on_sparks_is_theirs_and_what_others_take_of_it_is_said() -> None:
    assert build_machine().shares == MachineShares()
    for name in OTHER_GPUS:
        machine, figures = build_machine(hardware=name), store.get_machine(name).figures
        assert machine.shares.launch < machine.shares.mixture_launch < 1
        assert figures["launch_share"].verified == (name in ("h100", "h200"))


def test_machines_links_engines_images_and_issues_are_whole() -> None:
    assert {item.name for item in store.list_hardware()} == {
        "gb10-128",
        "gb10-64",
        *OTHER_GPUS,
        *(f"link-{name}" for name in LINKS),
        *(f"engine-{name}" for name in ENGINES),
    }
    assert {image.engine for image in store.list_images()} == set(ENGINES)
    known = {"supports_sm_121", "first_version_for_sm_121", "arm64", "nccl_version", "ray"}
    assert all(known <= set(image.figures) for image in store.list_images())
    assert {"trtllm#12715", "trtllm#8781"} <= {issue.id for issue in store.list_known_issues()}


def test_an_unknown_property_is_a_marked_gap_and_not_a_guess() -> None:
    for image in store.list_images():
        for figure in image.figures.values():
            assert figure.value is not None or not figure.verified


def test_a_node_of_64_gb_has_less_memory_and_the_same_bandwidth() -> None:
    small, large = store.get_hardware("gb10-64").figures, store.get_hardware("gb10-128").figures
    assert small["memory_usable_gib"].to_number() < large["memory_usable_gib"].to_number()
    assert build_machine(hardware="gb10-64") == build_machine(hardware="gb10-128")


@pytest.mark.parametrize("value", [True, "12.1", None])
def test_a_figure_that_is_no_number_is_not_used_as_one(value: object) -> None:
    with pytest.raises(TypeError):
        Figure(value=value, source="planted here").to_number()
