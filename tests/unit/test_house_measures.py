"""Names and types of the house, counted by benchmarks.house_measures, each with a violation planted
in the same count."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from benchmarks.house_measures import PROJECTS, measure_project
from benchmarks.source_measures import HouseMeasures
from benchmarks.source_reader import find_any_aliases, measure_module

FILLERS_AT_MOST = {"sparkform": 0.01, "tests": 0.01, "sparkrack": 0.01, "pulumi-offline": 0.01}
VERBS_AT_LEAST = {"sparkform": 0.9, "tests": 0.75, "sparkrack": 0.75, "pulumi-offline": 0.75}
ANY_AT_MOST = 0.1
PACKAGES = [name for name in PROJECTS if name != "tests"]
STEP_CLASSES = frozenset({"Want", "Have", "Observed"})
"""The one family of equal names: each step's module has its own desired and observed state."""

STAND_INS = {
    "packages/sparkrack/sparkrack/engines/trtllm/rootfs/usr/lib/trtllm_stand_in": 0.15,
    "packages/sparkrack/sparkrack/shims/rootfs/usr/lib/rack/rack_shims": 0.33,
}
"""They pass on documents of Docker, Pulumi and engines, whose forms are those programs' own."""


@cache
def measure(name: str) -> HouseMeasures:
    return measure_project(name)


def measure_text(**texts: str) -> HouseMeasures:
    """The measures of modules that are given as text, by name."""
    trees = {f"folder/{name}.py": ast.parse(text) for name, text in texts.items()}
    aliases = find_any_aliases(trees)
    return HouseMeasures(
        tuple(measure_module(path, tree, aliases[path]) for path, tree in trees.items())
    )


@pytest.mark.parametrize("project", PROJECTS)
def test_names_say_what_they_hold(project: str) -> None:
    assert measure(project).filler_share <= FILLERS_AT_MOST[project]


def test_a_planted_filler_is_found_in_every_scope() -> None:
    house = measure_text(
        planted="""
class Box:
    kept: int
def count(found, *others):
    links = [one for one in found]
    return lambda said: links
"""
    )
    assert house.filler_share == 5 / 6


@pytest.mark.parametrize("project", PROJECTS)
def test_functions_begin_with_a_verb(project: str) -> None:
    assert measure(project).verb_share >= VERBS_AT_LEAST[project]


def test_a_planted_function_without_a_verb_is_found_and_what_is_no_action_is_not_asked() -> None:
    house = measure_text(
        planted="""
def _links(): ...
def read_links(): ...
def test_links_are_read(): ...
class Link:
    def __len__(self): ...
    @property
    def address(self): ...
"""
    )
    assert house.verb_share == 1 / 2


def list_untyped_folders(house: HouseMeasures) -> dict[str, float]:
    return {
        folder: share
        for folder, share in house.any_shares_by_folder.items()
        if share >= STAND_INS.get(folder, ANY_AT_MOST)
    }


@pytest.mark.parametrize("project", PACKAGES)
def test_a_type_is_named_where_it_is_known(project: str) -> None:
    assert list_untyped_folders(measure(project)) == {}


def test_a_planted_any_is_found_under_its_other_names_too() -> None:
    typed = "\n".join(f"def read_{number}(): ..." for number in range(16))
    house = measure_text(
        aliases="from typing import Any\nJson = dict[str, Any]\nJsonList = list[Json]",
        planted=f"""
from folder.aliases import JsonList as Listed
{typed}
def read_all(path: str) -> Listed: ...
def read_quoted(path: "Listed | None"): ...
""",
    )
    assert house.any_shares_by_folder == {"folder": 2 / 18}
    assert list_untyped_folders(house) == {"folder": 2 / 18}


@pytest.mark.parametrize("project", PROJECTS)
def test_a_class_has_a_name_of_its_own(project: str) -> None:
    assert set(measure(project).repeated_classes) <= STEP_CLASSES


def test_a_planted_second_class_of_a_name_is_found() -> None:
    house = measure_text(first="class Link: ...", second="class Link: ...\nclass Port: ...")
    assert house.repeated_classes == {"Link": ["folder/first.py", "folder/second.py"]}
