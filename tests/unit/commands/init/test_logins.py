"""USER@HOST as people write it, and every mistake in it at once."""

from __future__ import annotations

import pytest

from sparkform.commands.init.logins import Login, read_logins
from sparkform.errors import InputError


@pytest.mark.parametrize(
    ("word", "login"),
    [
        ("nvidia@spark-1.local", Login("nvidia", "spark-1.local")),
        ("ada@10.0.0.11:2222", Login("ada", "10.0.0.11", 2222)),
        ("ada@[fd00::11]", Login("ada", "fd00::11")),
        ("ada@[fd00::11]:2222", Login("ada", "fd00::11", 2222)),
    ],
)
def test_a_login_is_read_and_written_the_same_way(word: str, login: Login) -> None:
    assert read_logins([word]) == (login,)
    assert str(login) == word


@pytest.mark.parametrize("word", ["spark-1", "@spark-1", "a@", "a@b:0", "a@b:70000", "a b@c", ""])
def test_what_is_no_login_is_named(word: str) -> None:
    with pytest.raises(InputError) as refused:
        read_logins([word])
    (problem,) = refused.value.problems
    assert problem.got == word


def test_all_mistakes_are_shown_at_once() -> None:
    words = ["spark-1", *["ada@spark-2"] * 2, *[f"ada@10.0.0.{at}" for at in range(6)]]
    with pytest.raises(InputError) as refused:
        read_logins(words)
    assert [one.what for one in refused.value.problems] == [
        "is not a login",
        "is given twice",
        "too many",
    ]
