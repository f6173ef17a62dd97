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
    """One option without its dashes, `_` and `-` taken for the same. `at` is its position."""

    option: str
    value: str | None
    at: int


def read_arguments(words: Sequence[str]) -> tuple[Argument, ...]:
    """The options of `words`: `--a b`, `--a=b`, and `--a b` in one word by mistake.

    JSON objects are taken apart: `--a {"b": 1}` also counts as `--a.b 1`, which is vLLM's own
    second spelling. A word that belongs to no option has the empty option.
    """
    return tuple(part for whole in _options(words) for part in (whole, *_inner(whole)))


def _options(words: Sequence[str]) -> Iterator[Argument]:
    at = 0
    while at < len(words):
        option, value = _split(words[at])
        start = at
        if option and value is None and at + 1 < len(words) and not _is_option(words[at + 1]):
            at += 1
            value = words[at]
        yield Argument(option, value, start)
        at += 1


def _is_option(word: str) -> bool:
    return OPTION.match(word) is not None


def _split(word: str) -> tuple[str, str | None]:
    """An option and the value in the same word; no option: the word is the value."""
    level = SHORT_WITH_LEVEL.fullmatch(word)
    if level:
        return "o", level.group(1)
    found = OPTION.match(word)
    if found is None:
        return "", word
    rest = word[found.end() :]
    value = rest[1:].strip() if rest[:1] in ("=", " ") else rest or None
    return normal(found.group()), value


def normal(option: str) -> str:
    """An option's name for comparison: no leading dashes, `_` for `-`, lower case."""
    return option.lstrip("-").replace("-", "_").lower()


def _inner(argument: Argument) -> Iterator[Argument]:
    """The entries of a JSON object as options of their own."""
    if not (argument.value or "").startswith("{"):
        return
    try:
        content = json.loads(argument.value or "")
    except ValueError:
        return
    for key, value in content.items() if isinstance(content, dict) else ():
        text = value if isinstance(value, str) else json.dumps(value)
        inner = Argument(f"{argument.option}.{normal(str(key))}", text, argument.at)
        yield inner
        yield from _inner(inner)
