"""Broken stack files: whatever is done to a good one, it loads or every problem has a path.

The environment variable SPARKFORM_FUZZ_EXAMPLES sets the number of broken files; `make test` asks
for 2000, `make fuzz` for 20000 that are others each time.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkform.config import BLOCKS, Declaration, load_stack, parse_config
from sparkform.config.stack_yaml import read_yaml
from sparkform.errors import InputError, Problem
from tests.unit.config.support import STACKS
from tests.unit.config.test_json_schema import VALIDATOR as SCHEMA
from tests.unit.config.test_reference import read_all_keys

FUZZ = settings(max_examples=int(os.environ.get("SPARKFORM_FUZZ_EXAMPLES", "40")))
CANARY = "v1:CANARY"
ROOTS = ("cluster", "services", "config", "Pulumi.fuzz.yaml", "monitoring", "gateway")

Container = dict[Any, Any] | list[Any]
Position = tuple[Any, Any]


def load_bases() -> list[dict[str, Any]]:
    """The good files, and the reference file with all keys on that can be on together."""
    full = read_all_keys(STACKS[0].read_text())
    full["sparkform:services"]["qwen"].pop("revision")
    full["sparkform:services"]["qwen"]["runtime"] = "container"
    return [{"config": full}, *(yaml.safe_load(path.read_text()) for path in STACKS)]


BASES = load_bases()

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["", " ", "\0", "é" * 70, "\u202e", "x" * 5000, "{what}", 10**30, -(10**400), "0.0.0.0/0"]
    ),
)
junk = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
secure = st.just({"secure": CANARY})


def list_positions(value: Container) -> Iterator[Position]:
    """Each container below `value` with one of its keys or positions."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from list_positions(value[key])


def delete(position: Position, _: object) -> None:
    del position[0][position[1]]


def replace(position: Position, new: object) -> None:
    position[0][position[1]] = new


def rename(position: Position, new: object) -> None:
    container, key = position
    name = new if isinstance(new, str | int | float | bool) else f"{key}x"
    if isinstance(container, dict):
        container[name] = container.pop(key)


def duplicate(position: Position, _: object) -> None:
    container, key = position
    if isinstance(container, list):
        container.append(copy.deepcopy(container[key]))
    else:
        container[f"{key}2"] = copy.deepcopy(container[key])


def nest(position: Position, _: object) -> None:
    container, key = position
    for _level in range(60):
        container[key] = [container[key]]


def widen(position: Position, _: object) -> None:
    container, key = position
    is_block = isinstance(container[key], dict | list)
    container[key] = [container[key]] * (9 if is_block else 300)


def add(position: Position, new: object) -> None:
    container, key = position
    if isinstance(container[key], dict):
        container[key]["extra"] = new


CHANGES: list[Callable[[Position, Any], None]] = [
    delete, replace, replace, replace, rename, duplicate, nest, widen, add,
]  # fmt: skip


MARKS = ["\t", "&a ", "*a", "!!python/object:os.x ", "? ", "- ", "{", "'", "|"]


class NoAliases(yaml.SafeDumper):
    """Writes repeated values out."""

    def ignore_aliases(self, data: object) -> bool:
        return True


@st.composite
def draw_broken_data(draw: st.DrawFn) -> str:
    """A good file with one to three places changed, as YAML text."""
    document = copy.deepcopy(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.integers(1, 3))):
        positions = list(list_positions(document))
        if not positions:
            break
        change = draw(st.sampled_from(CHANGES))
        # A drawn value may be drawn again, so that only a copy may be changed.
        new = copy.deepcopy(draw(st.one_of(junk, secure)))
        change(draw(st.sampled_from(positions)), new)
    return yaml.dump(document, Dumper=NoAliases, allow_unicode=draw(st.booleans()))


@st.composite
def draw_broken_text(draw: st.DrawFn) -> str:
    """A good file with a stretch of its text cut, doubled, or overwritten."""
    text = draw(st.sampled_from(STACKS)).read_text()
    start = draw(st.integers(0, len(text)))
    end = min(len(text), start + draw(st.integers(0, 40)))
    middle = draw(
        st.one_of(
            st.just(""),
            st.just(text[start:end] * 2),
            st.text(max_size=6),
            st.sampled_from(MARKS),
        )
    )
    return text[:start] + middle + text[end:]


def assert_sound(problem: Problem) -> None:
    text = str(problem)
    assert problem.path.startswith(ROOTS)
    assert problem.message != "is not accepted", "an error of pydantic's has no words of ours"
    assert text.isprintable()
    assert text.startswith(f"{problem.path}: ")
    assert "CANARY" not in text


def assert_refused(refusal: InputError) -> None:
    assert refusal.problems
    for problem in refusal.problems:
        assert_sound(problem)


def assert_valid_by_schema(text: str) -> None:
    """Editors must not mark what loads. The keys of other programs need not be text."""
    document: Any = read_yaml(text.removeprefix("\ufeff"))
    config = {key: value for key, value in document["config"].items() if isinstance(key, str)}
    assert list(SCHEMA.iter_errors({"config": config})) == []


def judge(load: Callable[[Path], Declaration], path: Path, text: str) -> bool:
    """Whether the file loads; fails unless it does or is refused as it should be."""
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        declared = load(path)
    except InputError as refusal:
        assert_refused(refusal)
        return False
    dumped = declared.to_plain()
    again = parse_config(*(dumped.get(block) for block in BLOCKS))
    assert again == declared
    assert_valid_by_schema(text)
    return True


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "Pulumi.fuzz.yaml"


@FUZZ
@given(text=draw_broken_data())
def test_a_file_with_changed_values_loads_or_is_refused_with_paths(file: Path, text: str) -> None:
    judge(load_stack, file, text)


@FUZZ
@given(text=draw_broken_text())
def test_a_file_with_changed_text_loads_or_is_refused_with_paths(file: Path, text: str) -> None:
    judge(load_stack, file, text)


@FUZZ
@given(cluster=junk, services=junk, monitoring=junk, gateway=junk)
def test_any_data_at_all_is_refused_with_paths(
    cluster: object, services: object, monitoring: object, gateway: object
) -> None:
    with pytest.raises(InputError) as caught:
        parse_config(cluster, services, monitoring, gateway)
    assert_refused(caught.value)


@FUZZ
@given(data=st.data())
def test_an_encrypted_value_anywhere_below_a_block_is_refused(data: st.DataObject) -> None:
    config = copy.deepcopy(data.draw(st.sampled_from(BASES)))["config"]
    below = [config[f"sparkform:{block}"] for block in BLOCKS if f"sparkform:{block}" in config]
    positions = [position for block in below for position in list_positions(block)]
    replace(data.draw(st.sampled_from(positions)), {"secure": CANARY})
    with pytest.raises(InputError) as caught:
        parse_config(*below)
    assert "contains an encrypted value" in [problem.message for problem in caught.value.problems]


def test_the_good_files_load(file: Path) -> None:
    assert all(judge(load_stack, file, yaml.dump(base, Dumper=NoAliases)) for base in BASES)


def test_a_loader_that_raises_anything_else_would_be_found(file: Path) -> None:
    def broken(path: Path) -> Declaration:
        raise KeyError(path.name)

    with pytest.raises(KeyError):
        judge(broken, file, "config: {}")


@pytest.mark.parametrize(
    "problem",
    [
        Problem(path="", message="is wrong"),
        Problem(path="cluster.user", message="is\nwrong"),
        Problem(path="cluster.user", message="is wrong", got=CANARY),
    ],
)
def test_a_problem_without_a_path_or_with_a_secret_would_be_found(problem: Problem) -> None:
    with pytest.raises(AssertionError):
        assert_sound(problem)
