"""Whoever joins gets somebody to fetch from, and nobody waits for himself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.transfer.chain import Chain

NAMES = ["spark-2", "spark-3", "spark-4", "spark-5"]
Act = tuple[str, str, frozenset[str]]
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["join", "done"]),
        st.sampled_from(NAMES),
        st.frozensets(st.sampled_from(NAMES), max_size=2),
    ),
    max_size=30,
)


def joined(chain: Chain, name: str, *avoid: str) -> str | None:
    giver = chain.join(name, ["10.0.0.1/24"], 1, avoid)
    return giver.name if giver else None


def test_each_fetches_from_the_one_that_joined_before_it() -> None:
    chain = Chain()
    assert [joined(chain, name) for name in NAMES] == [None, *NAMES[:-1]]


def test_one_that_does_not_answer_is_left_out() -> None:
    chain = Chain()
    joined(chain, "spark-2")
    joined(chain, "spark-3")
    assert joined(chain, "spark-4", "spark-3") == "spark-2"
    assert joined(chain, "spark-4", "spark-3", "spark-2") is None


def test_nobody_leaves_while_another_fetches_from_it() -> None:
    chain = Chain()
    joined(chain, "spark-2")
    joined(chain, "spark-3")
    assert not chain.done("spark-2")
    assert chain.done("spark-3")
    assert not chain.is_over()
    assert chain.done("spark-2")
    assert chain.is_over()


def test_one_that_has_left_is_given_to_nobody() -> None:
    chain = Chain()
    joined(chain, "spark-2")
    assert chain.done("spark-2")
    assert joined(chain, "spark-3") is None


@given(ACTS)
def test_every_way_leads_to_the_source(acts: list[Act]) -> None:
    chain = Chain()
    for act, name, avoid in acts:
        if act == "join":
            assert joined(chain, name, *avoid) not in {name, *avoid}
        else:
            chain.done(name)
        for member in chain.members:
            seen, at = set(), chain.members[member].upstream
            while at is not None:
                assert at not in seen, "a circle"
                seen.add(at)
                at = chain.members[at].upstream if at in chain.members else None
