"""The settings that an engine ends up with, and where each came from. Pure.

An option in `extraArgs` stands last on the command line and wins over the declared key; a variable
counts where neither is given. The last of several equal options counts, as for argparse and click.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sparkform.config import AnyService, CudaGraph
from sparkform.config.groups import format_service_path
from sparkform.rules.arguments import Argument, parse_arguments
from sparkform.rules.setting_sources import SOURCES, SettingSource

Value = str | float | bool

TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off", "null", "none")
# vLLM reads 8k as 8,000 and 8K as 8,192 (human_readable_int in vllm/utils/argparse_utils.py).
UNIT_FACTORS = {
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
        match = AMOUNT.fullmatch(str(self.value).strip())
        return float(match.group(1)) * UNIT_FACTORS.get(match.group(2), 1) if match else None

    @property
    def integer(self) -> int | None:
        """The value as a whole number, None if it is none."""
        number = self.number
        return None if number is None else int(number)

    @property
    def is_on(self) -> bool:
        """Whether the value says yes. An option without a value does."""
        return self.text not in FALSE


@dataclass(frozen=True)
class ServiceSettings:
    """All settings of one service. `base` is its path, `services.NAME`."""

    block: AnyService
    base_path: str
    arguments: tuple[Argument, ...]

    def find(self, name: str) -> Setting | None:
        """The effective setting, None if the engine's own default holds."""
        settings = list(self.list_given(name))
        return settings[0] if settings else None

    def list_given(self, name: str) -> Iterator[Setting]:
        """Every place that gives the setting, the one that wins first."""
        source = SOURCES[self.block.engine].get(name, SettingSource())
        yield from reversed(
            [self._read_argument(argument, source) for argument in self._list_matching(source)]
        )
        declared = self._read_declared(source)
        if declared is not None:
            yield declared
        for variable in (*source.variables, *source.fake_variables):
            if variable in self.block.environment:
                yield Setting(
                    self.block.environment[variable], f"{self.base_path}.environment.{variable}"
                )

    def get_number(self, name: str) -> float | None:
        """The effective number of a setting."""
        setting = self.find(name)
        return setting.number if setting else None

    def get_integer(self, name: str) -> int | None:
        """The effective whole number of a setting."""
        setting = self.find(name)
        return setting.integer if setting else None

    def get_text(self, name: str) -> str:
        """The effective text of a setting in lower case, empty if it is not given."""
        setting = self.find(name)
        return setting.text if setting else ""

    def get_path(self, name: str) -> str:
        """Where the setting stands, or where it would have to be declared."""
        setting = self.find(name)
        source = SOURCES[self.block.engine].get(name, SettingSource())
        return setting.path if setting else f"{self.base_path}.{source.key or 'extraArgs'}"

    def is_declared(self, name: str) -> bool:
        """Whether the key of the setting holds something else than its default."""
        source = SOURCES[self.block.engine].get(name, SettingSource())
        if source.attribute is None:
            return False
        default = type(self.block).model_fields[source.attribute].default
        return bool(getattr(self.block, source.attribute) != default)

    def get_argument_path(self, argument: Argument) -> str:
        """The place of an argument in the stack file."""
        return f"{self.base_path}.extraArgs[{argument.position}]"

    def _list_matching(self, source: SettingSource) -> Iterator[Argument]:
        negated = tuple(f"no_{option}" for option in source.options)
        return (
            argument for argument in self.arguments if argument.option in source.options + negated
        )

    def _read_argument(self, argument: Argument, source: SettingSource) -> Setting:
        is_negated = argument.option not in source.options
        value: Value = not is_negated if argument.value is None else argument.value
        return Setting(value, self.get_argument_path(argument))

    def _read_declared(self, source: SettingSource) -> Setting | None:
        if source.attribute is None:
            return None
        declared = getattr(self.block, source.attribute)
        value = _to_value(getattr(declared, source.part, None) if source.part else declared)
        return None if value is None else Setting(value, f"{self.base_path}.{source.key}")


def _to_value(value: object) -> Value | None:
    if isinstance(value, CudaGraph):
        return True
    return value if isinstance(value, str | int | float | bool) else None


def read_settings(block: AnyService, name: str) -> ServiceSettings:
    """The settings of the service called `name`."""
    arguments = parse_arguments(block.extra_args)
    if block.engine == "vllm":
        arguments = tuple(_complete_option(argument) for argument in arguments)
    return ServiceSettings(block, format_service_path(name), arguments)


def _complete_option(argument: Argument) -> Argument:
    """vLLM's parser takes an option's unambiguous beginning for it, as argparse does."""
    known_options = {option for source in SOURCES["vllm"].values() for option in source.options}
    # An entry of a JSON object is no longer spelling of the option that holds the object.
    depth = argument.option.count(".")
    candidates = {
        option
        for option in known_options
        if option.startswith(argument.option) and option.count(".") == depth
    }
    is_short = len(argument.option) < SHORTEST_ABBREVIATION
    if is_short or argument.option in known_options or len(candidates) != 1:
        return argument
    return replace(argument, option=candidates.pop())


def read_variables(block: AnyService, base_path: str) -> Mapping[str, Setting]:
    """The declared environment with the place of each variable."""
    return {
        name: Setting(value, f"{base_path}.environment.{name}")
        for name, value in block.environment.items()
    }
