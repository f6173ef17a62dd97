"""What rules say of all models or of their own data is true of the catalogue."""

from __future__ import annotations

import pytest

from sparkform.catalogue import store
from sparkform.catalogue.describe import catalogue_shape
from sparkform.catalogue.store import Entry
from sparkform.config.service import ENGINES
from sparkform.rules.groups.trtllm_options import FAKE_OPTIONS, KNOWN_OPTIONS, SINCE
from sparkform.rules.setting_sources import SOURCES
from sparkform.sizing.split import tensor_parallel_allowed


def models_with(ranks: int) -> list[str]:
    return [
        model.name
        for model in store.models()
        if tensor_parallel_allowed(catalogue_shape(Entry(model, model.checkpoints[0])), ranks)
    ]


def test_three_ranks_divide_the_heads_of_no_known_model() -> None:
    assert models_with(3) == []
    assert len(models_with(2)) > 25, "the question can be answered with yes"


@pytest.mark.parametrize("engine", SOURCES)
def test_every_setting_with_a_key_is_one_of_the_spec(engine: str) -> None:
    fields = ENGINES[engine].model_fields
    for name, source in SOURCES[engine].items():
        if source.attribute is not None:
            assert fields[source.attribute].alias == source.key, name


def test_no_option_is_both_known_and_made_up() -> None:
    assert not set(FAKE_OPTIONS) & (KNOWN_OPTIONS | set(SINCE))
    assert not KNOWN_OPTIONS & set(SINCE)
