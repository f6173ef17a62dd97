"""The planned arguments and the user's, merged: what is planned cannot be given a second time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sparkform.config.groups import format_service_path
from sparkform.config.secret_keys import format_set_command
from sparkform.errors import Problem
from sparkform.launch.variables import contains_secret

Options = Mapping[str, str | None]
"""Planned options in order; None for one without a value."""

GLOB_CHARACTERS = "*?["
SECRET_OPTIONS = ("--api-key", "--hf-token")


def flatten_options(options: Options) -> tuple[str, ...]:
    """Options as an engine takes them."""
    return tuple(
        part for name, value in options.items() for part in (name, value) if part is not None
    )


def format_value(value: object) -> str | None:
    """A number or word as an option's value: floats without a needless tail."""
    return None if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def format_options(options: Mapping[str, object]) -> dict[str, str | None]:
    """Options that have a value; True stands for one that takes none, None and False are absent."""
    return {
        name: None if value is True else format_value(value)
        for name, value in options.items()
        if value is not None and value is not False
    }


def check_extra_arguments(
    service: str, declared: Sequence[str], planned: Options, aliases: Mapping[str, str]
) -> Iterator[Problem]:
    """`aliases` maps an engine's other spellings to the option as planned.

    A message names the option and never repeats a value: people put tokens into arguments.
    """
    for position, argument in enumerate(declared):
        path = f"{format_service_path(service)}.extraArgs[{position}]"
        name = resolve_alias(argument, aliases)
        if not argument.strip():
            yield Problem(path=path, message="is empty", remedy="leave it out")
        elif name in SECRET_OPTIONS or contains_secret(argument):
            yield Problem(
                path=path,
                message="looks like a secret",
                because="anyone on the node sees a process's arguments",
                remedy=format_set_command("apiKey"),
            )
        elif name in planned:
            yield Problem(
                path=path,
                message=f"gives {argument.partition('=')[0]} again, which is planned as {name}",
                because="of two values for one setting an engine silently takes one",
                remedy="leave it out and use the service's own key",
            )


def resolve_alias(argument: str, aliases: Mapping[str, str]) -> str:
    """The option that an argument names, in the spelling of the plan."""
    name = argument.partition("=")[0]
    return aliases.get(name, name)


def check_launcher_splitting(
    service: str, argv: Sequence[str], declared: Sequence[str]
) -> Iterator[Problem]:
    """Arguments that trtllm-llmapi-launch would tear apart.

    It runs the command as an unquoted shell variable (NVIDIA/TensorRT-LLM,
    tensorrt_llm/llmapi/trtllm-llmapi-launch@020c89e6): words split at blanks, and `*?[` are read as
    patterns of file names.
    """
    for argument in argv:
        if any(character.isspace() or character in GLOB_CHARACTERS for character in argument):
            position = declared.index(argument) if argument in declared else None
            yield Problem(
                path=format_service_path(service)
                + (f".extraArgs[{position}]" if position is not None else " (planned argument)"),
                message="holds a blank or one of * ? [",
                because="the launcher of several ranks splits it there",
                remedy="use a key of the service, which goes into the engine's own file",
            )
