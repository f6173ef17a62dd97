"""What differs between the launch that a rank was started with and today's, in phrases. Pure.

A node's `stop_previous` keeps a summary of its rank's launch, with digests in place of long texts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from difflib import SequenceMatcher

from node.host.differences import format_change
from node.host.plain import as_list, as_mapping
from sparkform.launch.records import Launch
from sparkform.plan.images import get_started_image

SUMMARIZED = ("image", "argv", "environment", "files")
DIGITS = 12
Summary = Mapping[str, object]


def summarize_launch(launch: Launch) -> dict[str, object]:
    """`rest` stands for every other part of the launch."""
    fields = asdict(launch)
    other_fields = {
        key: value for key, value in fields.items() if key not in (*SUMMARIZED, "unproven")
    }
    return {
        "image": get_started_image(launch),
        "argv": list(launch.argv),
        "environment": dict(launch.environment),
        "files": {file.path: _hash_text(file.text) for file in launch.files},
        "rest": _hash_text(json.dumps(other_fields, sort_keys=True)),
    }


def describe_differences(before: Summary, now: Summary) -> list[str]:
    """Phrases such as `--max-model-len is 4096, will be 8192`; empty where nothing differs."""
    if not before or before == now:
        return []
    phrases = [
        *_describe_changes({"image": before.get("image")}, {"image": now["image"]}),
        *_describe_argument_changes(as_list(before.get("argv")), as_list(now["argv"])),
        *_describe_changes(as_mapping(before.get("environment")), as_mapping(now["environment"])),
        *_describe_file_changes(as_mapping(before.get("files")), as_mapping(now["files"])),
    ]
    return phrases or ["its start differs"]


def _describe_argument_changes(before: Sequence[str], now: Sequence[str]) -> Iterator[str]:
    """Stretch by stretch, so that a long command is not repeated; a value with its option."""
    stretches = SequenceMatcher(a=before, b=now, autojunk=False).get_opcodes()
    for kind, start, end, start_now, end_now in stretches:
        if kind == "equal":
            continue
        option = [argument for argument in before[:start][-1:] if argument.startswith("--")]
        yield from _describe_changes(
            parse_options([*option, *before[start:end]]),
            parse_options([*option, *now[start_now:end_now]]),
        )


def parse_options(argv: Sequence[str]) -> dict[str, str]:
    """A command's long options with their values, and its other words under `command`.

    >>> parse_options(["serve", "m", "--port", "8000", "--eager"])
    {'command': 'serve m', '--port': '8000', '--eager': 'set'}
    """
    values: dict[str, str] = {}
    command: list[str] = []
    name = None
    for argument in argv:
        if argument.startswith("--"):
            name = argument
            values[name] = "set"
        elif name is not None:
            values[name] = argument if values[name] == "set" else f"{values[name]} {argument}"
        else:
            command.append(argument)
    return {**({"command": " ".join(command)} if command else {}), **values}


def _describe_changes(before: Mapping[str, object], now: Mapping[str, object]) -> Iterator[str]:
    for name in [*now, *(name for name in before if name not in now)]:
        if before.get(name) != now.get(name):
            yield format_change(name, before.get(name), now.get(name))


def _describe_file_changes(
    before: Mapping[str, object], now: Mapping[str, object]
) -> Iterator[str]:
    for path in sorted({*before, *now}):
        if before.get(path) != now.get(path):
            yield f"{path} differs"


def _hash_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
