from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.files import lines, toml_top

PARTS = [
    "disable-require = false",
    '#swarm-resource = "DOCKER_RESOURCE_GPU"',
    "# a comment",
    "",
    "[nvidia-container-cli]",
    'swarm-resource = "of another table"',
    "load-kmods = true",
]


@given(st.lists(st.sampled_from(PARTS), max_size=6), st.booleans())
def test_the_key_is_set_at_top_level_and_nothing_else_changes(parts, ends) -> None:
    text = "\n".join(parts) + ("\n" if ends and parts else "")
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    edits = toml_top.plan_edit(text, "swarm-resource", "DOCKER_RESOURCE_NVIDIA_GPU")
    merged = lines.apply_edits(text, edits)
    assert tomllib.loads(merged) == {**before, "swarm-resource": "DOCKER_RESOURCE_NVIDIA_GPU"}
    assert toml_top.get_value(merged, "swarm-resource") == "DOCKER_RESOURCE_NVIDIA_GPU"
    assert toml_top.plan_edit(merged, "swarm-resource", "DOCKER_RESOURCE_NVIDIA_GPU") == []
    reverted = lines.revert_edits(merged, edits)
    assert tomllib.loads(reverted.text or "") == before


@pytest.mark.parametrize("quote", ['"', "'"])
def test_a_value_in_either_quotes_is_read(quote: str) -> None:
    assert toml_top.get_value(f"swarm-resource={quote}X{quote}", "swarm-resource") == "X"


def test_a_key_of_a_table_is_not_at_top_level() -> None:
    text = '[nvidia-container-cli]\nswarm-resource = "X"\n'
    assert toml_top.get_value(text, "swarm-resource") is None


def test_the_line_that_has_it_commented_out_is_where_it_goes() -> None:
    text = 'a = 1\n#swarm-resource = "DOCKER_RESOURCE_GPU"\n\n[t]\n'
    merged = lines.apply_edits(text, toml_top.plan_edit(text, "swarm-resource", "X"))
    assert merged == 'a = 1\nswarm-resource = "X"\n\n[t]\n'
