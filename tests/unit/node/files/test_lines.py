from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.files import Reverted, lines

PARTS = st.lists(st.sampled_from(["A=1", "# a", "", "B=2", " C = 3", "é"]), max_size=6)
ENDS = st.sampled_from(["\n", "\r\n"])
TEXTS = st.builds(lambda parts, end: "".join(f"{part}{end}" for part in parts), PARTS, ENDS)
TAILS = st.sampled_from(["", "last=1"])


@given(TEXTS, TAILS, st.data())
def test_a_line_replaced_or_taken_out_comes_back_byte_for_byte(text, tail, data) -> None:
    all_lines = lines.split_lines(text + tail)
    if not all_lines:
        return
    index = data.draw(st.integers(0, len(all_lines) - 1))
    new = data.draw(st.sampled_from(["NEW=1", None]))
    edit = lines.plan_replacement(all_lines, index, new)
    merged = lines.apply_edits(text + tail, [edit])
    assert len(lines.split_lines(merged)) == len(all_lines) - (new is None)
    reverted = lines.revert_edits(merged, [edit])
    assert reverted.changed == []
    if all_lines.count(all_lines[index]) == 1 and all_lines.count(edit["follows"] or "") <= 1:
        assert reverted.text == text + tail


@given(TEXTS, TAILS)
def test_a_line_added_goes_again_and_what_others_added_stays(text, tail) -> None:
    edit = lines.plan_addition("OURS=1\n")
    merged = lines.apply_edits(text + tail, [edit])
    assert lines.split_lines(merged)[-1] == "OURS=1\n"
    between = merged + "THEIRS=1\n"
    reverted = lines.revert_edits(between, [edit])
    assert reverted.text == between.replace("OURS=1\n", "")


def test_an_old_line_does_not_come_back_beside_somebodys_new_one() -> None:
    all_lines = lines.split_lines("NCCL_IB_GID_INDEX=3\nOTHER=1\n")
    edit = lines.plan_replacement(all_lines, 0, None, key="NCCL_IB_GID_INDEX=")
    reverted = lines.revert_edits("OTHER=1\nNCCL_IB_GID_INDEX=5\n", [edit])
    assert reverted.text == "OTHER=1\nNCCL_IB_GID_INDEX=5\n"
    assert reverted.changed == ["NCCL_IB_GID_INDEX=3"]


def test_a_line_that_others_changed_since_is_left_and_named() -> None:
    edit = lines.plan_replacement(["A=1\n"], 0, "A=0")
    reverted = lines.revert_edits("A=2\n", [edit])
    assert (reverted.text, reverted.changed) == ("A=2\n", ["A=1"])


def test_a_line_that_others_put_back_already_needs_no_word() -> None:
    edit = lines.plan_replacement(["A=1\n"], 0, "A=0")
    assert lines.revert_edits("A=1\n", [edit]) == Reverted("A=1\n", [])
