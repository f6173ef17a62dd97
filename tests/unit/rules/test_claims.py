"""What rules say of all models or of their own data is true of the catalogue."""

from __future__ import annotations

import pytest

from sparkform.catalogue import store
from sparkform.catalogue.describe import read_catalogue_shape
from sparkform.catalogue.store import CatalogueEntry
from sparkform.config.service import ENGINES
from sparkform.rules.groups.trtllm_options import (
    FIRST_VERSIONS,
    KNOWN_OPTIONS,
    UNKNOWN_OPTION_REMEDIES,
)
from sparkform.rules.setting_sources import SOURCES
from sparkform.sizing.split import allows_tensor_parallel


def list_models_with(ranks: int) -> list[str]:
    return [
        model.name
        for model in store.list_models()
        if allows_tensor_parallel(
            read_catalogue_shape(CatalogueEntry(model, model.checkpoints[0])), ranks
        )
    ]


def test_three_ranks_divide_the_heads_of_no_known_model_that_needs_them() -> None:
    assert list_models_with(3) == ["nomic-embed-text-v1.5"], "0.3 GB, for one node"
    assert len(list_models_with(2)) > 25, "the question can be answered with yes"


@pytest.mark.parametrize("engine", SOURCES)
def test_every_setting_with_a_key_is_one_of_the_spec(engine: str) -> None:
    fields = ENGINES[engine].model_fields
    for name, source in SOURCES[engine].items():
        if source.attribute is not None:
            assert fields[source.attribute].alias == source.key, name


def test_no_option_is_both_known_and_made_up() -> None:
    assert not set(UNKNOWN_OPTION_REMEDIES) & (KNOWN_OPTIONS | set(FIRST_VERSIONS))
    assert not KNOWN_OPTIONS & set(FIRST_VERSIONS)
