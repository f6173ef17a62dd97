"""Encoders keep nothing of a text: weights and activations are all that they take."""

from __future__ import annotations

import pytest

from sparkform.catalogue import store
from sparkform.catalogue.describe import read_catalogue_shape
from sparkform.models.shape import ModelShape
from sparkform.sizing.cache_profile import build_cache_profile
from sparkform.sizing.split import Cut

ONE = Cut(tensor_parallel=1, pipeline_parallel=1)


def read_shape(handle: str) -> ModelShape:
    entry = store.find_entry(handle)
    assert entry is not None
    return read_catalogue_shape(entry)


@pytest.mark.parametrize("handle", ["BAAI/bge-m3", "nomic-ai/nomic-embed-text-v1.5"])
def test_an_encoder_has_no_cache(handle: str) -> None:
    assert build_cache_profile(read_shape(handle), ONE).compute_bytes(8192, 2.0) == 0.0


def test_an_embedder_that_is_a_decoder_has_one() -> None:
    profile = build_cache_profile(read_shape("Qwen/Qwen3-Embedding-0.6B"), ONE)
    assert profile.compute_bytes(1000, 2.0) == 1000 * 28 * 8 * 128 * 2 * 2
