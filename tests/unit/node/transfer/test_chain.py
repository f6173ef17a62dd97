"""Whoever joins gets somebody to fetch from, and nobody waits for himself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.transfer.chain import Chain

NAMES = ["spark-2", "spark-3", "spark-4", "spark-5"]
ChainEvent = tuple[str, str, frozenset[str]]
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["join", "done"]),
        st.sampled_from(NAMES),
        st.frozensets(st.sampled_from(NAMES), max_size=2),
    ),
    max_size=30,
)


def join_chain(chain: Chain, name: str, *avoid: str) -> str | None:
    upstream = chain.join(name, ("10.0.0.1/24",), 1, avoid)
    return upstream.name if upstream else None


def test_each_fetches_from_the_one_that_joined_before_it() -> None:
    chain = Chain()
    assert [join_chain(chain, name) for name in NAMES] == [None, *NAMES[:-1]]


def test_one_that_does_not_answer_is_left_out() -> None:
    chain = Chain()
    join_chain(chain, "spark-2")
    join_chain(chain, "spark-3")
    assert join_chain(chain, "spark-4", "spark-3") == "spark-2"
    assert join_chain(chain, "spark-4", "spark-3", "spark-2") is None


def test_nobody_leaves_while_another_fetches_from_it() -> None:
    chain = Chain()
    join_chain(chain, "spark-2")
    join_chain(chain, "spark-3")
    assert not chain.mark_complete("spark-2")
    assert chain.mark_complete("spark-3")
    assert not chain.is_over()
    assert chain.mark_complete("spark-2")
    assert chain.is_over()


def test_one_that_has_left_is_given_to_nobody() -> None:
    chain = Chain()
    join_chain(chain, "spark-2")
    assert chain.mark_complete("spark-2")
    assert join_chain(chain, "spark-3") is None


@given(EVENTS)
def test_every_way_leads_to_the_source(events: list[ChainEvent]) -> None:
    chain = Chain()
    for event, name, avoid in events:
        if event == "join":
            assert join_chain(chain, name, *avoid) not in {name, *avoid}
        else:
            chain.mark_complete(name)
        for member in chain.members:
            visited, upstream = set(), chain.members[member].upstream
            while upstream is not None:
                assert upstream not in visited, "a circle"
                visited.add(upstream)
                upstream = chain.members[upstream].upstream if upstream in chain.members else None
