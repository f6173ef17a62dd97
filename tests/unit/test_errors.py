from __future__ import annotations

from sparkform.errors import InputError, Problem


def test_a_problem_reads_as_one_sentence() -> None:
    problem = Problem(
        path="cluster.nodes[1].port",
        message="is not a port",
        got="0",
        allowed="1 to 65535",
        because="sshd listens there",
        remedy="leave it out for 22",
    )
    assert str(problem) == (
        "cluster.nodes[1].port: is not a port (got 0); allowed: 1 to 65535; "
        "because sshd listens there; leave it out for 22"
    )


def test_what_a_terminal_would_act_on_is_written_out_where_users_words_come_back() -> None:
    problem = Problem(path="a\0", message="is wrong", got="\x1b[2J\n", allowed="\x1f, \ud800")
    assert str(problem) == "a\\x00: is wrong (got \\x1b[2J\\n); allowed: \\x1f, \\ud800"


def test_all_problems_are_shown_at_once() -> None:
    error = InputError(
        [Problem(path="a", message="is wrong"), Problem(path="b", message="is wrong")]
    )
    assert str(error) == "a: is wrong\nb: is wrong"
