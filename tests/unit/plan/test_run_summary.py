"""The lines after a run: few, in order, each once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sparkform.plan.run_summary import DoneStep, summarize_done

NODES = ("spark-1", "spark-2", "spark-3")
STEP_NAMES = ("agent", "prerequisites", "nccl_conf", "swarm_token", "model:a--b", "ready:qwen")


def test_a_repair_says_what_its_node_said() -> None:
    done = [DoneStep("spark-2", "nccl_conf", ("/etc/nccl.conf: A=1 is now A=0",))]
    assert summarize_done(done, NODES, []) == [
        "spark-2 nccl_conf: /etc/nccl.conf: A=1 is now A=0",
    ]


def test_many_changes_are_named_by_their_steps_and_equal_nodes_share_a_line() -> None:
    done = [
        DoneStep(node, step, ("first", "second"))
        for step in ("agent", "nccl_conf")
        for node in ("spark-3", "spark-1")
    ]
    done += [DoneStep("spark-1", step, ("said",)) for step in ("launch_files:qwen", "ready:qwen")]
    assert summarize_done(done, NODES, ["qwen"], advisory_count=2) == [
        "spark-1 and spark-3: agent, nccl_conf",
        "service qwen: launch_files, ready",
        "2 advisories: `pulumi preview` and `sparkform check` name them",
    ]


def test_what_another_step_reads_is_not_said() -> None:
    done = [DoneStep("spark-1", "swarm_token", ("SWMTKN-1-secret",))]
    assert summarize_done(done, NODES, []) == []


def test_nothing_done_is_nothing_said() -> None:
    assert summarize_done([], NODES, ["qwen"], advisory_count=1) == []


DONE = st.lists(
    st.builds(
        DoneStep,
        st.sampled_from(NODES),
        st.sampled_from(STEP_NAMES),
        st.lists(st.sampled_from(["x", "y"]), unique=True).map(tuple),
    ),
    unique_by=lambda step: (step.node, step.step),
)


@given(DONE, st.integers(0, 3))
def test_six_lines_at_most_and_none_twice(done: list[DoneStep], advisory_count: int) -> None:
    lines = summarize_done(done, NODES, ["qwen"], advisory_count)
    assert len(lines) <= 6
    assert len(lines) == len(set(lines))
    assert "secret" not in " ".join(lines)
