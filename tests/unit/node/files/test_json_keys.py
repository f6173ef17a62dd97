from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.files import json_keys

NAMES = st.sampled_from(["runtimes", "nvidia", "default-runtime", "mtu", "ü"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=6,
)
TREES = st.dictionaries(NAMES, VALUES, max_size=4)
PATHS = st.lists(NAMES, min_size=1, max_size=3)
INDENTS = st.sampled_from([None, 2, 4, "\t"])


def is_free(tree: dict[str, Any], path: list[str]) -> bool:
    """Whether setting the path takes nothing else away: its parents are mappings, or not there."""
    parents = [json_keys.get_items(tree, path[:n]) for n in range(1, len(path))]
    return all(not items or isinstance(items[0], dict) for items in parents)


@given(TREES, PATHS, VALUES, INDENTS)
def test_what_was_merged_comes_out_again_and_leaves_the_rest(tree, path, value, indent) -> None:
    if not is_free(tree, path):
        return
    text = json.dumps(tree, indent=indent, ensure_ascii=False)
    edit = json_keys.plan_edit(tree, path, value)
    merged = json_keys.apply_edits(text, [edit])
    assert json_keys.get_items(json.loads(merged), path) == [value]
    reverted = json_keys.revert_edits(merged, [edit])
    assert reverted.changed == []
    assert json.loads(reverted.text or "{}") == tree


@given(TREES, PATHS, VALUES, st.text(min_size=1, max_size=3), VALUES)
def test_a_key_that_others_add_in_between_stays(tree, path, value, suffix, foreign_value) -> None:
    foreign_name = f"theirs-{suffix}"
    if not is_free(tree, path):
        return
    edit = json_keys.plan_edit(tree, path, value)
    between = {
        **json.loads(json_keys.apply_edits(json.dumps(tree), [edit])),
        foreign_name: foreign_value,
    }
    reverted = json_keys.revert_edits(json.dumps(between), [edit])
    assert json.loads(reverted.text or "{}") == {**tree, foreign_name: foreign_value}


def test_order_and_indentation_stay() -> None:
    text = '{\n  "z": 1,\n  "a": {\n    "b": 2\n  }\n}\n'
    edit = json_keys.plan_edit(json_keys.parse(text), ["default-runtime"], "nvidia")
    expected = '{\n  "z": 1,\n  "a": {\n    "b": 2\n  },\n  "default-runtime": "nvidia"\n}\n'
    assert json_keys.apply_edits(text, [edit]) == expected


def test_only_our_kind_of_item_in_a_list_is_ours() -> None:
    text = json.dumps({"node-generic-resources": ["FPGA=1", "NVIDIA_GPU=old", "SSD=2"]})
    path, prefix = ["node-generic-resources"], "NVIDIA_GPU="
    edit = json_keys.plan_edit(json_keys.parse(text), path, ["NVIDIA_GPU=new"], prefix)
    merged = json_keys.apply_edits(text, [edit])
    assert json.loads(merged) == {"node-generic-resources": ["FPGA=1", "NVIDIA_GPU=new", "SSD=2"]}
    assert json_keys.revert_edits(merged, [edit]).text == text


def test_a_key_that_others_changed_since_is_left_and_named() -> None:
    edit = json_keys.plan_edit({}, ["default-runtime"], "nvidia")
    reverted = json_keys.revert_edits('{"default-runtime": "crun"}', [edit])
    assert reverted.changed == ["default-runtime"]
    assert json.loads(reverted.text or "") == {"default-runtime": "crun"}


def test_parents_that_only_we_needed_go_with_the_key() -> None:
    edit = json_keys.plan_edit({}, ["default-ulimits", "memlock"], {"Hard": -1})
    reverted = json_keys.revert_edits(json_keys.apply_edits("{}", [edit]), [edit])
    assert reverted.text is None


@pytest.mark.parametrize("text", ["[]", "{", '"x"'])
def test_what_is_no_json_object_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON object|Expecting"):
        json_keys.parse(text)
    assert json_keys.revert_edits(text, []).text == text
