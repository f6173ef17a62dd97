from __future__ import annotations

import pytest

from sparkform.catalogue import store
from sparkform.catalogue.describe import read_catalogue_shape
from sparkform.errors import InputError
from sparkform.models.model_facts import (
    ShapeFacts,
    derive_quantisation,
    estimate_shape,
    read_facts,
    read_row_facts,
)
from sparkform.models.shape import (
    count_active_parameters,
    count_kv_elements_per_token,
    count_parameters,
)

MIXTURE = ShapeFacts(
    parameters=116.83e9,
    active_parameters=5.1e9,
    layers=36,
    heads=64,
    kv_heads=8,
    head_dim=64,
    experts=128,
    experts_per_token=4,
    weight_bits=4.25,
)


def test_an_estimated_shape_has_the_totals_that_were_given() -> None:
    shape = estimate_shape(MIXTURE, "x")
    assert count_parameters(shape) == pytest.approx(116.83e9, rel=1e-3)
    assert count_active_parameters(shape) == pytest.approx(5.1e9, rel=1e-3)
    assert count_kv_elements_per_token(shape) == 36 * 2 * 8 * 64
    assert shape.notes == ()


def test_a_dense_model_has_no_experts() -> None:
    shape = estimate_shape(ShapeFacts(parameters=8e9), "x")
    assert count_parameters(shape) == count_active_parameters(shape) == pytest.approx(8e9, rel=1e-3)


def test_what_was_not_given_is_estimated_and_said() -> None:
    shape = estimate_shape(ShapeFacts(parameters=100e9, active_parameters=5e9), "x")
    text = " ".join(shape.notes)
    assert "layers not given" in text
    assert "experts not given" in text
    assert "cache is taken as nothing" in text


@pytest.mark.parametrize("name", ["llama-3.1-8b", "qwen2.5-32b", "llama-3.3-70b", "qwen3-14b"])
def test_the_estimated_depth_of_a_dense_model_is_near_the_true_one(name: str) -> None:
    shape = read_catalogue_shape(store.get_entry(name))
    guess = estimate_shape(ShapeFacts(parameters=float(count_parameters(shape))), "x")
    assert len(guess.blocks) == pytest.approx(len(shape.blocks), rel=0.3)


def test_without_parameters_nothing_is_estimated() -> None:
    with pytest.raises(InputError, match="parameters: is missing"):
        estimate_shape(ShapeFacts(layers=32), "x")


def test_facts_use_the_names_of_the_stack_file_and_refuse_others() -> None:
    assert read_facts({"kvHeads": 8, "headDim": 128}, "facts").kv_heads == 8
    with pytest.raises(InputError, match=r"facts: kvHead:.*allowed.*kvHeads"):
        read_facts({"kvHead": 8}, "facts")


def test_the_facts_of_a_row_stand_among_other_keys_and_gaps() -> None:
    row = {"id": "S1", "value": 3, "parameters": 8e9, "layers": None}
    assert read_row_facts(row) == ShapeFacts(parameters=8e9)


def test_given_weight_bits_replace_those_of_the_method() -> None:
    shape = estimate_shape(MIXTURE, "x")
    quantisation = derive_quantisation(MIXTURE, shape, "nvfp4")
    assert (quantisation.name, quantisation.get_bits("experts")) == ("nvfp4", 4.25)


@pytest.mark.parametrize(
    ("bits", "name"), [(16, "bf16"), (8, "fp8"), (4.25, "int4"), (None, "bf16")]
)
def test_weight_bits_alone_name_a_quantisation(bits: float | None, name: str) -> None:
    facts = ShapeFacts(parameters=8e9, weight_bits=bits)
    assert derive_quantisation(facts, estimate_shape(facts, "x"), None).name == name


def test_experts_that_are_not_told_hold_all_parameters() -> None:
    """Few active parameters beside many need more experts than are usual."""
    facts = ShapeFacts(parameters=177e9, active_parameters=6e9, layers=48)
    total = count_parameters(estimate_shape(facts, "mixture"))
    assert total == pytest.approx(177e9, rel=0.01)
