"""USER@HOST as people write it, and every mistake in it at once."""

from __future__ import annotations

import pytest

from sparkform.commands.init.logins import NodeLogin, parse_logins
from sparkform.errors import InputError


@pytest.mark.parametrize(
    ("argument", "login"),
    [
        ("nvidia@spark-1.local", NodeLogin("nvidia", "spark-1.local")),
        ("ada@10.0.0.11:2222", NodeLogin("ada", "10.0.0.11", 2222)),
        ("ada@[fd00::11]", NodeLogin("ada", "fd00::11")),
        ("ada@[fd00::11]:2222", NodeLogin("ada", "fd00::11", 2222)),
    ],
)
def test_a_login_is_read_and_written_the_same_way(argument: str, login: NodeLogin) -> None:
    assert parse_logins([argument]) == (login,)
    assert str(login) == argument


@pytest.mark.parametrize(
    "argument", ["spark-1", "@spark-1", "a@", "a@b:0", "a@b:70000", "a b@c", ""]
)
def test_what_is_no_login_is_named(argument: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_logins([argument])
    (problem,) = refused.value.problems
    assert problem.got == argument


def test_all_mistakes_are_shown_at_once() -> None:
    arguments = [
        "spark-1",
        *["ada@spark-2"] * 2,
        *[f"ada@10.0.0.{last_part}" for last_part in range(6)],
    ]
    with pytest.raises(InputError) as refused:
        parse_logins(arguments)
    assert [problem.message for problem in refused.value.problems] == [
        "is not a login",
        "is repeated",
        "has the wrong number of values",
    ]
