"""What differs between the launch that a rank was started with and today's, in words. Pure.

A node's slot keeps a summary of its rank's launch, with digests in place of long texts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from difflib import SequenceMatcher
from typing import Any

from node.host.differences import changed
from node.host.plain import listing, mapping
from sparkform.launch.records import Launch
from sparkform.plan.images import started_from

SUMMED = ("image", "argv", "environment", "files")
DIGITS = 12
Summary = Mapping[str, Any]


def summary(launch: Launch) -> dict[str, Any]:
    """`rest` stands for every other part of the launch."""
    whole = asdict(launch)
    rest = {key: value for key, value in whole.items() if key not in (*SUMMED, "unproven")}
    return {
        "image": started_from(launch),
        "argv": list(launch.argv),
        "environment": dict(launch.environment),
        "files": {one.path: _short(one.text) for one in launch.files},
        "rest": _short(json.dumps(rest, sort_keys=True)),
    }


def differing(before: Summary, now: Summary) -> list[str]:
    """Phrases such as `--max-model-len is 4096, will be 8192`; empty where nothing differs."""
    if not before or before == now:
        return []
    said = [
        *_changes({"image": before.get("image")}, {"image": now["image"]}),
        *_argument_changes(listing(before.get("argv")), now["argv"]),
        *_changes(mapping(before.get("environment")), now["environment"]),
        *_files(mapping(before.get("files")), now["files"]),
    ]
    return said or ["how it is started differs"]


def _argument_changes(before: Sequence[str], now: Sequence[str]) -> Iterator[str]:
    """Stretch by stretch, so that a long command is not said whole; a value with its option."""
    stretches = SequenceMatcher(a=before, b=now, autojunk=False).get_opcodes()
    for kind, start, end, start_now, end_now in stretches:
        if kind == "equal":
            continue
        option = [word for word in before[:start][-1:] if word.startswith("--")]
        yield from _changes(
            options([*option, *before[start:end]]), options([*option, *now[start_now:end_now]])
        )


def options(argv: Sequence[str]) -> dict[str, str]:
    """A command's long options with their values, and its other words under `command`.

    >>> options(["serve", "m", "--port", "8000", "--eager"])
    {'command': 'serve m', '--port': '8000', '--eager': 'set'}
    """
    found: dict[str, str] = {}
    words: list[str] = []
    name = None
    for word in argv:
        if word.startswith("--"):
            name = word
            found[name] = "set"
        elif name is not None:
            found[name] = word if found[name] == "set" else f"{found[name]} {word}"
        else:
            words.append(word)
    return {**({"command": " ".join(words)} if words else {}), **found}


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in [*now, *(name for name in before if name not in now)]:
        if before.get(name) != now.get(name):
            yield changed(name, before.get(name), now.get(name))


def _files(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for path in sorted({*before, *now}):
        if before.get(path) != now.get(path):
            yield f"{path} differs"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
