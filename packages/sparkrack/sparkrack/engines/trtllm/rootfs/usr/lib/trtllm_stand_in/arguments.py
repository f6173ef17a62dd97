"""The command line of trtllm-serve, as click reads it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from . import knowledge
from .refusals import Refusal, build_usage_error

FIRST_NAME = {
    "--tensor_parallel_size": "--tp_size",
    "--pipeline_parallel_size": "--pp_size",
    "--context_parallel_size": "--cp_size",
    "--config": "--extra_llm_api_options",
    "--hf_revision": "--revision",
}
WHOLE_NUMBERS = ("--port", "--tp_size", "--pp_size", "--cp_size", "--max_batch_size")
GONE_BACKENDS = ("tensorrt", "trt")
OWN_PREFIXES = ("TRTLLM_", "TLLM_")
STAND_IN_PREFIX = "TRTLLM_STAND_IN_"
BACKEND_GONE_SINCE = "1.3.0rc21"  # NVIDIA/TensorRT-LLM, release notes


@dataclass(frozen=True)
class Arguments:
    """A command line that the real program would take."""

    model: str
    values: Mapping[str, str]

    def get_number(self, option: str, default: int) -> int:
        return int(self.values.get(option, default))

    @property
    def world(self) -> int:
        """How many ranks the engine needs."""
        sizes = (self.get_number(option, 1) for option in ("--tp_size", "--pp_size", "--cp_size"))
        total = 1
        for size in sizes:
            total *= size
        return total

    @property
    def served_name(self) -> str:
        """A folder is served under its own name."""
        declared_name = self.values.get("--served_model_name")
        return declared_name or (
            self.model.rpartition("/")[2] if self.model[0] == "/" else self.model
        )


def parse(argv: Sequence[str], version: knowledge.Version) -> Arguments:
    """Raises Refusal with click's own sentence."""
    with_value, flags = knowledge.list_options(version)
    remaining = list(argv[1:] if argv[:1] == ("serve",) or argv[:1] == ["serve"] else argv)
    positional: list[str] = []
    values: dict[str, str] = {}
    while remaining:
        argument = remaining.pop(0)
        if not argument.startswith("-"):
            positional.append(argument)
            continue
        name, equals, value = argument.partition("=")
        if name not in with_value | flags:
            raise build_usage_error(f"No such option: {name}")
        values[FIRST_NAME.get(name, name)] = _take_value(
            name, value if equals else None, remaining, flags
        )
    _check(positional, values, version)
    return Arguments(positional[0], values)


def _take_value(
    name: str, inline_value: str | None, remaining: list[str], flags: Collection[str]
) -> str:
    if name in flags:
        if inline_value is not None:
            raise build_usage_error(f"Option '{name}' does not take a value.")
        return "true"
    if inline_value is not None:
        return inline_value
    if not remaining:
        raise build_usage_error(f"Option '{name}' requires an argument.")
    return remaining.pop(0)


def _check(
    positional: Sequence[str], values: Mapping[str, str], version: knowledge.Version
) -> None:
    if not positional:
        raise build_usage_error("Missing argument 'MODEL'.")
    if len(positional) > 1:
        raise build_usage_error(f"Got unexpected extra argument ({positional[1]})")
    for option in WHOLE_NUMBERS:
        if not values.get(option, "0").isdigit():
            raise build_usage_error(
                f"Invalid value for '{option}': '{values[option]}' is not a valid integer."
            )
    for option, choice in knowledge.read_document("options")["choices"].items():
        if option in values and values[option] not in choice["allowed"]:
            raise build_usage_error(
                f"Invalid value for '{option}': '{values[option]}' is not one of these."
            )
    if values.get("--backend") in GONE_BACKENDS and version >= knowledge.parse_version(
        BACKEND_GONE_SINCE
    ):
        raise build_usage_error(
            f"Invalid value for '--backend': '{values['--backend']}' is not one of these."
        )


def check_variables(environment: Collection[str]) -> None:
    """Raises Refusal for an unknown variable of the engine, which the real one ignores."""
    for name in list_unknown_variables(environment):
        raise Refusal(f"stand-in: TensorRT-LLM does not read {name} and would ignore it")


def list_unknown_variables(environment: Collection[str]) -> list[str]:
    """The engine's own variables that no version reads, sorted."""
    known = knowledge.read_document("options")["variables"]["known"]
    return sorted(
        name
        for name in environment
        if name.startswith(OWN_PREFIXES)
        and name not in known
        and not name.startswith(STAND_IN_PREFIX)
    )
