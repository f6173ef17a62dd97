from __future__ import annotations

from sparkform.errors import InputError, Problem


def test_a_problem_reads_as_one_sentence() -> None:
    problem = Problem(
        path="cluster.nodes[1].port",
        what="is not a port",
        got="0",
        allowed="1 to 65535",
        because="sshd listens there",
        remedy="leave it out for 22",
    )
    assert str(problem) == (
        "cluster.nodes[1].port: is not a port (got 0); allowed: 1 to 65535; "
        "because sshd listens there; leave it out for 22"
    )


def test_all_problems_are_shown_at_once() -> None:
    error = InputError([Problem(path="a", what="is wrong"), Problem(path="b", what="is wrong")])
    assert str(error) == "a: is wrong\nb: is wrong"
