"""Room for LoRA adapters, against a count by hand."""

from __future__ import annotations

import pytest

from sparkform.catalogue import store
from sparkform.catalogue.describe import read_catalogue_shape
from sparkform.models.shape import ModelShape
from sparkform.sizing.adapters import compute_adapter_bytes


def read_shape(handle: str) -> ModelShape:
    entry = store.find_entry(handle)
    assert entry is not None
    return read_catalogue_shape(entry)


def test_each_matrix_has_a_row_and_a_column_for_each_rank() -> None:
    """Qwen3-8B: query and output 4096 x 4096, key and value 4096 x 1024, three of 4096 x 12288."""
    edges = 2 * (4096 + 4096) + 2 * (4096 + 1024) + 3 * (4096 + 12288)
    expected = 36 * edges * 16 * 2
    assert compute_adapter_bytes(read_shape("Qwen/Qwen3-8B"), 1, 16) == pytest.approx(expected)


def test_room_grows_with_number_and_rank_and_is_none_without_adapters() -> None:
    shape = read_shape("Qwen/Qwen3-8B")
    one = compute_adapter_bytes(shape, 1, 16)
    assert compute_adapter_bytes(shape, 3, 32) == pytest.approx(6 * one)
    assert compute_adapter_bytes(shape, 0, 0) == 0.0


def test_every_expert_has_its_own() -> None:
    shape = read_shape("openai/gpt-oss-20b")
    assert compute_adapter_bytes(shape, 1, 16) > 32 * 24 * 3 * (2880 + 2880) * 16 * 2
