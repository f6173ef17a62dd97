"""Whatever stands in a config.json or in facts: a shape or a sentence, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparkform.errors import InputError
from sparkform.models.config_reader import read_shape
from sparkform.models.config_schema import TextConfig
from sparkform.models.model_facts import FACT_KEYS, estimate_shape, read_facts
from sparkform.models.quantisation_reader import read_quantisation
from sparkform.sizing.fit import fit_over_node_counts
from sparkform.sizing.memory_budget import Demand, NodeMemory

REAL = json.loads((Path(__file__).parent / "data" / "configs.json").read_text())
BASES = [case["config"].get("text_config", case["config"]) for case in REAL]
KEYS = sorted(
    {
        str(name)
        for field in TextConfig.model_fields.values()
        for name in getattr(field.validation_alias, "choices", [])
    }
    | {key for base in BASES for key in base}
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 300),
    st.sampled_from([0, 1, 2**31, 2**80, 1.5, float("inf"), float("nan"), "", "x"]),
    st.lists(st.integers(-1, 3), max_size=4),
    st.dictionaries(st.sampled_from(["a", "quant_method", "bits"]), st.integers(), max_size=2),
)
MEMORY = NodeMemory(usable_gib=119.7, fraction=0.85, runtime_gib=6)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(BASES),
    st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=4),
    st.sets(st.sampled_from(KEYS), max_size=2),
)
def test_a_mutated_config_is_read_or_refused(
    base: dict[str, object], changes: dict[str, object], removed: set[str]
) -> None:
    config = {key: value for key, value in (base | changes).items() if key not in removed}
    try:
        shape = read_shape(config, "config.json")
        quantisation = read_quantisation(config, shape, "config.json")
    except InputError:
        return
    answers = fit_over_node_counts(
        Demand(shape=shape, quantisation=quantisation), MEMORY, range(1, 4)
    )
    assert len(answers) == 3


@given(
    st.dictionaries(
        st.sampled_from([*FACT_KEYS, "headDim", "other"]),
        st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=3)),
        max_size=6,
    )
)
def test_mutated_facts_are_read_or_refused(document: dict[str, object]) -> None:
    try:
        shape = estimate_shape(read_facts(document, "facts.json"), "x")
    except InputError:
        return
    assert shape.blocks
