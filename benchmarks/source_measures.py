"""What house_measures counts: shares and lists of a whole checkout, from those of its modules."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


def _read_words(name: str) -> frozenset[str]:
    lines = (Path(__file__).parent / "data" / name).read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


VERBS = _read_words("verbs.txt")
FILLERS = _read_words("fillers.txt")
FEWEST_FUNCTIONS = 10
"""A folder with fewer functions has no share of its own: one of them would be a tenth of it."""


@dataclass(frozen=True)
class FunctionMeasures:
    """One function: whether its name is asked for a verb and has one, and its length in lines."""

    path: str
    name: str
    lines: int
    is_asked: bool
    has_verb: bool
    has_any: bool


@dataclass(frozen=True)
class ModuleMeasures:
    """One module: its lines, and what it defines."""

    path: str
    lines: int
    names: Counter[str]
    classes: tuple[str, ...]
    functions: tuple[FunctionMeasures, ...]


@dataclass(frozen=True)
class HouseMeasures:
    """All modules of a checkout. Shares are between 0 and 1."""

    modules: tuple[ModuleMeasures, ...]

    @cached_property
    def functions(self) -> list[FunctionMeasures]:
        return [function for module in self.modules for function in module.functions]

    @cached_property
    def names(self) -> Counter[str]:
        """How often each name is bound, once a scope."""
        return sum((module.names for module in self.modules), Counter[str]())

    @property
    def filler_share(self) -> float:
        fillers = sum(count for name, count in self.names.items() if is_filler(name))
        return fillers / max(self.names.total(), 1)

    @property
    def verb_share(self) -> float:
        asked = [function.has_verb for function in self.functions if function.is_asked]
        return sum(asked) / max(len(asked), 1)

    @property
    def any_share(self) -> float:
        return sum(function.has_any for function in self.functions) / max(len(self.functions), 1)

    @cached_property
    def any_shares_by_folder(self) -> dict[str, float]:
        """The share of each folder that has enough functions for one."""
        counts: dict[str, list[bool]] = defaultdict(list)
        for function in self.functions:
            counts[str(Path(function.path).parent)].append(function.has_any)
        return {
            folder: sum(flags) / len(flags)
            for folder, flags in sorted(counts.items())
            if len(flags) >= FEWEST_FUNCTIONS
        }

    @cached_property
    def class_paths(self) -> dict[str, list[str]]:
        """The modules that define a class of that name."""
        paths: dict[str, list[str]] = defaultdict(list)
        for module in self.modules:
            for name in module.classes:
                paths[name].append(module.path)
        return dict(paths)

    @property
    def repeated_classes(self) -> dict[str, list[str]]:
        return {name: paths for name, paths in self.class_paths.items() if len(paths) > 1}

    @property
    def function_lines(self) -> list[int]:
        return [function.lines for function in self.functions]

    @property
    def module_lines(self) -> list[int]:
        return [module.lines for module in self.modules]

    def get_percentile(self, values: Sequence[int], percent: int) -> int:
        return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def is_filler(name: str) -> bool:
    return name.strip("_") in FILLERS


def begins_with_verb(name: str) -> bool:
    """
    >>> begins_with_verb("_read_links"), begins_with_verb("words"), begins_with_verb("isIdle")
    (True, False, False)
    """
    return name.lstrip("_").partition("_")[0] in VERBS
