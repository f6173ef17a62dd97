"""The settings that an engine ends up with, and where each came from. Pure.

An option in `extraArgs` stands last on the command line and wins over the declared key; a variable
counts where neither is given. The last of several equal options counts, as for argparse and click.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sparkform.config import AnyService, CudaGraph, Speculative
from sparkform.rules.arguments import Argument, read_arguments
from sparkform.rules.setting_sources import SOURCES, Source

Value = str | float | bool

TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off", "null", "none")
# vLLM reads 8k as 8,000 and 8K as 8,192 (human_readable_int in vllm/utils/argparse_utils.py).
MULTIPLES = {
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "K": 2**10,
    "M": 2**20,
    "G": 2**30,
}
SHORTEST_ABBREVIATION = 4
AMOUNT = re.compile(r"(\d+(?:\.\d+)?)([kmgKMG]?)")


@dataclass(frozen=True)
class Setting:
    """One value with its place in the stack file."""

    value: Value
    path: str

    @property
    def text(self) -> str:
        """The value as lower-case text."""
        return str(self.value).strip().lower()

    @property
    def number(self) -> float | None:
        """The value as a number, None if it is none."""
        if isinstance(self.value, bool):
            return None
        found = AMOUNT.fullmatch(str(self.value).strip())
        return float(found.group(1)) * MULTIPLES.get(found.group(2), 1) if found else None

    @property
    def whole(self) -> int | None:
        """The value as a whole number, None if it is none."""
        number = self.number
        return None if number is None else int(number)

    @property
    def is_on(self) -> bool:
        """Whether the value says yes. An option without a value does."""
        return self.text not in FALSE


@dataclass(frozen=True)
class Settings:
    """All settings of one service. `base` is its path, `services.NAME`."""

    block: AnyService
    base: str
    arguments: tuple[Argument, ...]

    def get(self, name: str) -> Setting | None:
        """The effective setting, None if the engine's own default holds."""
        given = list(self.given(name))
        return given[0] if given else None

    def given(self, name: str) -> Iterator[Setting]:
        """Every place that gives the setting, the one that wins first."""
        source = SOURCES[self.block.engine].get(name, Source())
        yield from reversed([self._argument(one, source) for one in self._matching(source)])
        declared = self._declared(source)
        if declared is not None:
            yield declared
        for variable in (*source.variables, *source.unreal):
            if variable in self.block.environment:
                yield Setting(
                    self.block.environment[variable], f"{self.base}.environment.{variable}"
                )

    def number(self, name: str) -> float | None:
        """The effective number of a setting."""
        found = self.get(name)
        return found.number if found else None

    def whole(self, name: str) -> int | None:
        """The effective whole number of a setting."""
        found = self.get(name)
        return found.whole if found else None

    def text(self, name: str) -> str:
        """The effective text of a setting in lower case, empty if it is not given."""
        found = self.get(name)
        return found.text if found else ""

    def place(self, name: str) -> str:
        """Where the setting stands, or where it would have to be declared."""
        found = self.get(name)
        source = SOURCES[self.block.engine].get(name, Source())
        return found.path if found else f"{self.base}.{source.key or 'extraArgs'}"

    def is_declared(self, name: str) -> bool:
        """Whether the key of the setting holds something else than its default."""
        source = SOURCES[self.block.engine].get(name, Source())
        if source.attribute is None:
            return False
        default = type(self.block).model_fields[source.attribute].default
        return bool(getattr(self.block, source.attribute) != default)

    def argument_path(self, argument: Argument) -> str:
        """The place of an argument in the stack file."""
        return f"{self.base}.extraArgs[{argument.at}]"

    def _matching(self, source: Source) -> Iterator[Argument]:
        negated = tuple(f"no_{option}" for option in source.options)
        return (one for one in self.arguments if one.option in source.options + negated)

    def _argument(self, argument: Argument, source: Source) -> Setting:
        is_negated = argument.option not in source.options
        value: Value = not is_negated if argument.value is None else argument.value
        return Setting(value, self.argument_path(argument))

    def _declared(self, source: Source) -> Setting | None:
        if source.attribute is None:
            return None
        value = _plain(getattr(self.block, source.attribute))
        return None if value is None else Setting(value, f"{self.base}.{source.key}")


def _plain(value: object) -> Value | None:
    if isinstance(value, Speculative):
        return value.method
    if isinstance(value, CudaGraph):
        return True
    return value if isinstance(value, str | int | float | bool) else None


def read_settings(block: AnyService, name: str) -> Settings:
    """The settings of the service called `name`."""
    arguments = read_arguments(block.extra_args)
    if block.engine == "vllm":
        arguments = tuple(_in_full(one) for one in arguments)
    return Settings(block, f"services.{name}", arguments)


def _in_full(argument: Argument) -> Argument:
    """vLLM's parser takes an option's unambiguous beginning for it, as argparse does."""
    known = {option for source in SOURCES["vllm"].values() for option in source.options}
    meant = {option for option in known if option.startswith(argument.option)}
    is_short = len(argument.option) < SHORTEST_ABBREVIATION
    if is_short or argument.option in known or len(meant) != 1:
        return argument
    return replace(argument, option=meant.pop())


def variables(block: AnyService, base: str) -> Mapping[str, Setting]:
    """The declared environment with the place of each variable."""
    return {
        name: Setting(value, f"{base}.environment.{name}")
        for name, value in block.environment.items()
    }
