"""Profiles are the community's table, figure by figure, and questions become loads."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from sparkform.bench.load import Goodput
from sparkform.bench.profiles import (
    PROFILES,
    LoadQuestion,
    Profile,
    build_loads,
    check_question,
    parse_counts,
    parse_goodput,
)
from sparkform.errors import InputError

TABLE = Path(__file__).parents[2] / "data" / "bench" / "profiles.csv"
HEADINGS = ["Profile", "Prompts", "Input", "Output", "Use Case"]


def to_row(profile: Profile) -> list[str]:
    figures = (profile.prompts, profile.input_tokens, profile.output_tokens)
    return [profile.name, *map(str, figures), profile.use]


def read_table() -> list[list[str]]:
    with TABLE.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_the_first_profiles_are_the_published_table() -> None:
    headings, *rows = read_table()
    assert headings == HEADINGS
    assert [to_row(profile) for profile in PROFILES.values()][: len(rows)] == rows


def test_another_figure_would_be_found() -> None:
    assert to_row(Profile("quick", 10, 128, 129, "Sanity test")) not in read_table()


def test_only_latency_is_limited_by_a_rate() -> None:
    limited = [name for name, profile in PROFILES.items() if profile.rate_per_s]
    assert limited == ["latency"]
    assert all(profile.rate_per_s or profile.concurrency for profile in PROFILES.values())


def test_own_figures_replace_those_of_the_profile() -> None:
    question = LoadQuestion(
        profile="quick", prompts=7, input_tokens=11, output_tokens=13, concurrency=5
    )
    (load,) = build_loads(question)
    assert (load.prompts, load.input_tokens, load.output_tokens) == (7, 11, 13)
    assert (load.concurrency, load.rate_per_s) == (5, None)


def test_a_sweep_is_a_load_for_each_concurrency_and_fills_it() -> None:
    loads = build_loads(LoadQuestion(profile="quick", sweep=(1, 2, 32)))
    assert [load.concurrency for load in loads] == [1, 2, 32]
    assert [load.prompts for load in loads] == [10, 10, 32]


def test_a_depth_is_text_before_the_prompt() -> None:
    loads = build_loads(LoadQuestion(profile="pp2048-tg32", depths=(0, 4096)))
    assert [load.input_tokens for load in loads] == [2048, 6144]
    assert [load.profile for load in loads] == ["pp2048-tg32", "pp2048-tg32@4096"]


def test_a_rate_replaces_the_concurrency_only_where_that_is_not_asked_for() -> None:
    (latency,) = build_loads(LoadQuestion(profile="latency"))
    assert (latency.rate_per_s, latency.concurrency) == (1.0, None)
    (bounded,) = build_loads(LoadQuestion(profile="latency", rate_per_s=3, concurrency=4))
    assert (bounded.rate_per_s, bounded.concurrency) == (3, 4)
    (closed,) = build_loads(LoadQuestion(profile="latency", concurrency=4))
    assert (closed.rate_per_s, closed.concurrency) == (None, 4)


def test_a_trial_says_its_scale() -> None:
    (load,) = build_loads(LoadQuestion(profile="stress", scale=0.01))
    assert (load.prompts, load.scale) == (10, 0.01)


def test_a_shared_prefix_leaves_each_prompt_something_of_its_own() -> None:
    (load,) = build_loads(LoadQuestion(profile="shared-prefix"))
    assert load.shared_prefix_tokens == 1536
    (short,) = build_loads(LoadQuestion(profile="shared-prefix", input_tokens=8))
    assert short.shared_prefix_tokens == 6


def test_all_faults_are_told_at_once() -> None:
    question = LoadQuestion(profile="fast", prompts=0, sweep=(0,), concurrency=1, scale=2)
    paths = [problem.path for problem in check_question(question)]
    assert paths == ["--profile", "--sweep", "--prompts", "--sweep", "--scale"]
    assert list(check_question(LoadQuestion())) == []


@pytest.mark.parametrize("text", ["", "1,,2", "a", "1;2", "-1", "1.5", "²"])
def test_a_list_of_other_things_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no list"):
        parse_counts("--sweep", text)


def test_limits_are_read() -> None:
    assert parse_goodput("ttft:500, itl:50.5") == Goodput(ttft=500, itl=50.5)
    assert parse_goodput(None) is None


@pytest.mark.parametrize("text", ["ttft", "ttft:", "ttft:0", "ttft:-1", "ttft:nan", "x:1", ""])
def test_a_limit_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"is no limit.*ttft, itl, tpot, e2e"):
        parse_goodput(text)
