"""No text, however damaged, makes a parser fail in another way than by saying Unreadable."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.facts.reading import UnreadableFact
from tests.unit.node.facts.cases import CASES, RecordedCase

# Many cases with few examples each: about 350 damaged answers in a run of the unit tier.
EXAMPLES = settings().max_examples // 5
_NOISE = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["\x00", "\n", "=", ":", "{", "[[[[", "1e999", "NaN", "9" * 5000, "\udc80", ","]
    ),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def damage(draw: st.DrawFn, value: Any) -> Any:
    """The same shape with texts cut, mixed with noise, and engine answers replaced in places."""
    if isinstance(value, str):
        start, end = (draw(st.integers(0, len(value))) for _ in range(2))
        return value[:start] + draw(_NOISE) + value[end:]
    if isinstance(value, list):
        return [damage(draw, item) if draw(st.booleans()) else item for item in value]
    if isinstance(value, dict):
        return {key: damage(draw, item) for key, item in value.items()}
    return value


def scramble(draw: st.DrawFn, value: Any) -> Any:
    """An engine's answer in which any part may be of any type."""
    if draw(st.integers(0, 9)) == 0:
        return draw(_JSON)
    if isinstance(value, list):
        return [scramble(draw, item) for item in value]
    if isinstance(value, dict):
        return {key: scramble(draw, item) for key, item in value.items()}
    return value


ENGINE_INPUTS = {"info", "nodes", "containers", "services"}


def check_parser(parse: Callable[..., object], inputs: dict[str, Any]) -> None:
    try:
        fact = parse(**inputs)
    except UnreadableFact:
        return
    json.dumps(fact, allow_nan=False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.fact}-{case.name}")
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_answer_never_breaks_a_parser(case: RecordedCase, data: st.DataObject) -> None:
    @st.composite
    def draw_inputs(draw: st.DrawFn) -> dict[str, Any]:
        return {
            name: scramble(draw, value) if name in ENGINE_INPUTS else damage(draw, value)
            for name, value in copy.deepcopy(case.input).items()
        }

    check_parser(case.module.parse, data.draw(draw_inputs()))


@pytest.mark.parametrize("planted", [int, float, json.loads], ids=["int", "nan", "json"])
def test_a_parser_that_trips_over_damage_is_found(planted: Callable[[str], object]) -> None:
    text = "nan" if planted is float else "{"
    with pytest.raises(ValueError, match=r"."):
        check_parser(lambda text: planted(text), {"text": text})
