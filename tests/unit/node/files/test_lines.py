from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.files import Unmerged, lines

PARTS = st.lists(st.sampled_from(["A=1", "# a", "", "B=2", " C = 3", "é"]), max_size=6)
ENDS = st.sampled_from(["\n", "\r\n"])
TEXTS = st.builds(lambda parts, end: "".join(f"{part}{end}" for part in parts), PARTS, ENDS)
TAILS = st.sampled_from(["", "last=1"])


@given(TEXTS, TAILS, st.data())
def test_a_line_replaced_or_taken_out_comes_back_byte_for_byte(text, tail, data) -> None:
    found = lines.split(text + tail)
    if not found:
        return
    index = data.draw(st.integers(0, len(found) - 1))
    new = data.draw(st.sampled_from(["NEW=1", None]))
    edit = lines.replaced(found, index, new)
    merged = lines.merge(text + tail, [edit])
    assert len(lines.split(merged)) == len(found) - (new is None)
    rest = lines.unmerge(merged, [edit])
    assert rest.left == []
    if found.count(found[index]) == 1 and found.count(edit["follows"] or "") <= 1:
        assert rest.text == text + tail


@given(TEXTS, TAILS)
def test_a_line_added_goes_again_and_what_others_added_stays(text, tail) -> None:
    edit = lines.added("OURS=1\n")
    merged = lines.merge(text + tail, [edit])
    assert lines.split(merged)[-1] == "OURS=1\n"
    between = merged + "THEIRS=1\n"
    rest = lines.unmerge(between, [edit])
    assert rest.text == between.replace("OURS=1\n", "")


def test_an_old_line_does_not_come_back_beside_somebodys_new_one() -> None:
    found = lines.split("NCCL_IB_GID_INDEX=3\nOTHER=1\n")
    edit = lines.replaced(found, 0, None, key="NCCL_IB_GID_INDEX=")
    rest = lines.unmerge("OTHER=1\nNCCL_IB_GID_INDEX=5\n", [edit])
    assert rest.text == "OTHER=1\nNCCL_IB_GID_INDEX=5\n"
    assert rest.left == ["NCCL_IB_GID_INDEX=3"]


def test_a_line_that_others_changed_since_is_left_and_named() -> None:
    edit = lines.replaced(["A=1\n"], 0, "A=0")
    rest = lines.unmerge("A=2\n", [edit])
    assert (rest.text, rest.left) == ("A=2\n", ["A=1"])


def test_a_line_that_others_put_back_already_needs_no_word() -> None:
    edit = lines.replaced(["A=1\n"], 0, "A=0")
    assert lines.unmerge("A=1\n", [edit]) == Unmerged("A=1\n", [])
