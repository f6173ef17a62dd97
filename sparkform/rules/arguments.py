"""An engine's command line as options with values, whichever way it is spelled. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# -tp 2, --max-model-len 8k, --no-enforce-eager; not the number -1.
OPTION = re.compile(r"--?[A-Za-z][\w.-]*")
SHORT_WITH_LEVEL = re.compile(r"-O([0-3])")


@dataclass(frozen=True)
class Argument:
    """One option without its dashes, `_` and `-` taken for the same. `position` is its index."""

    option: str
    value: str | None
    position: int


def parse_arguments(arguments: Sequence[str]) -> tuple[Argument, ...]:
    """The options of `words`: `--a b`, `--a=b`, and `--a b` in one word by mistake.

    JSON objects are taken apart: `--a {"b": 1}` also counts as `--a.b 1`, which is vLLM's own
    second spelling. A word that belongs to no option has the empty option.
    """
    return tuple(
        part
        for argument in _parse_options(arguments)
        for part in (argument, *_expand_json(argument))
    )


def _parse_options(arguments: Sequence[str]) -> Iterator[Argument]:
    position = 0
    while position < len(arguments):
        option, value = _split_word(arguments[position])
        start = position
        if (
            option
            and value is None
            and position + 1 < len(arguments)
            and not _is_option(arguments[position + 1])
        ):
            position += 1
            value = arguments[position]
        yield Argument(option, value, start)
        position += 1


def _is_option(word: str) -> bool:
    return OPTION.match(word) is not None


def _split_word(word: str) -> tuple[str, str | None]:
    """An option and the value in the same word; no option: the word is the value."""
    level = SHORT_WITH_LEVEL.fullmatch(word)
    if level:
        return "o", level.group(1)
    match = OPTION.match(word)
    if match is None:
        return "", word
    remainder = word[match.end() :]
    value = remainder[1:].strip() if remainder[:1] in ("=", " ") else remainder or None
    return normalize_option(match.group()), value


def normalize_option(option: str) -> str:
    """An option's name for comparison: no leading dashes, `_` for `-`, lower case."""
    return option.lstrip("-").replace("-", "_").lower()


def _expand_json(argument: Argument) -> Iterator[Argument]:
    """The entries of a JSON object as options of their own."""
    if not (argument.value or "").startswith("{"):
        return
    try:
        content = json.loads(argument.value or "")
    except ValueError:
        return
    for key, value in content.items() if isinstance(content, dict) else ():
        text = value if isinstance(value, str) else json.dumps(value)
        inner = Argument(f"{argument.option}.{normalize_option(str(key))}", text, argument.position)
        yield inner
        yield from _expand_json(inner)
