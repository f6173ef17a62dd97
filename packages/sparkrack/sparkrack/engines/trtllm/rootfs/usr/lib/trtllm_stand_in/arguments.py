"""The command line of trtllm-serve, as click reads it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from . import knowledge
from .refusals import Refusal, bad_usage

FIRST_NAME = {
    "--tensor_parallel_size": "--tp_size",
    "--pipeline_parallel_size": "--pp_size",
    "--context_parallel_size": "--cp_size",
    "--config": "--extra_llm_api_options",
    "--hf_revision": "--revision",
}
WHOLE_NUMBERS = ("--port", "--tp_size", "--pp_size", "--cp_size", "--max_batch_size")
GONE_BACKENDS = ("tensorrt", "trt")
BACKEND_GONE_SINCE = "1.3.0rc21"  # NVIDIA/TensorRT-LLM, release notes


@dataclass(frozen=True)
class Arguments:
    """A command line that the real program would take."""

    model: str
    values: Mapping[str, str]

    def number(self, option: str, default: int) -> int:
        return int(self.values.get(option, default))

    @property
    def world(self) -> int:
        """How many ranks the engine needs."""
        sizes = (self.number(option, 1) for option in ("--tp_size", "--pp_size", "--cp_size"))
        total = 1
        for size in sizes:
            total *= size
        return total

    @property
    def served_name(self) -> str:
        """A folder is served under its own name."""
        given = self.values.get("--served_model_name")
        return given or (self.model.rpartition("/")[2] if self.model[0] == "/" else self.model)


def parse(words: Sequence[str], version: knowledge.Version) -> Arguments:
    """Raises Refusal with click's own sentence."""
    with_value, flags = knowledge.options(version)
    left = list(words[1:] if words[:1] == ("serve",) or words[:1] == ["serve"] else words)
    positional: list[str] = []
    values: dict[str, str] = {}
    while left:
        word = left.pop(0)
        if not word.startswith("-"):
            positional.append(word)
            continue
        name, equals, value = word.partition("=")
        if name not in with_value | flags:
            raise bad_usage(f"No such option: {name}")
        values[FIRST_NAME.get(name, name)] = _value(name, value if equals else None, left, flags)
    _check(positional, values, version)
    return Arguments(positional[0], values)


def _value(name: str, given: str | None, left: list[str], flags: Collection[str]) -> str:
    if name in flags:
        if given is not None:
            raise bad_usage(f"Option '{name}' does not take a value.")
        return "true"
    if given is not None:
        return given
    if not left:
        raise bad_usage(f"Option '{name}' requires an argument.")
    return left.pop(0)


def _check(
    positional: Sequence[str], values: Mapping[str, str], version: knowledge.Version
) -> None:
    if not positional:
        raise bad_usage("Missing argument 'MODEL'.")
    if len(positional) > 1:
        raise bad_usage(f"Got unexpected extra argument ({positional[1]})")
    for option in WHOLE_NUMBERS:
        if not values.get(option, "0").isdigit():
            raise bad_usage(
                f"Invalid value for '{option}': '{values[option]}' is not a valid integer."
            )
    for option, choice in knowledge.document("options")["choices"].items():
        if option in values and values[option] not in choice["allowed"]:
            raise bad_usage(
                f"Invalid value for '{option}': '{values[option]}' is not one of these."
            )
    if values.get("--backend") in GONE_BACKENDS and version >= knowledge.parse(BACKEND_GONE_SINCE):
        raise bad_usage(
            f"Invalid value for '--backend': '{values['--backend']}' is not one of these."
        )


def check_variables(environment: Collection[str]) -> None:
    """The real engine ignores a variable that it does not know, and whoever set it believes in it.

    Raises Refusal: the stand-in would rather say so.
    """
    known = knowledge.document("options")["variables"]["known"]
    ours = "TRTLLM_STAND_IN_"
    for name in sorted(environment):
        if (
            name.startswith(("TRTLLM_", "TLLM_"))
            and name not in known
            and not name.startswith(ours)
        ):
            raise Refusal(f"stand-in: TensorRT-LLM reads no variable {name} and would ignore it")
