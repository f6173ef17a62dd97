"""Judgements of single values, in the words of the official plugin's validators."""

from __future__ import annotations

import base64
import binascii
import re

from pulumi_offline.plugins.docker.durations import parse_duration
from pulumi_offline.plugins.docker.fields import Judge


def matches(pattern: str) -> Judge:
    compiled = re.compile(pattern)

    def judge(value: str | int) -> str | None:
        found = compiled.search(str(value))
        return None if found else f"'{value}' doesn't match the pattern '{pattern}'"

    return judge


def require_at_least(threshold: int) -> Judge:
    def judge(value: str | int) -> str | None:
        return None if int(value) >= threshold else f"'{value}' cannot be lower than {threshold}"

    return judge


def is_duration(value: str | int) -> str | None:
    nanoseconds = parse_duration(str(value))
    if nanoseconds is None:
        return f"'{value}' is not a valid duration"
    return None if nanoseconds >= 0 else f"'{value}' duration must not be negative"


def is_base64(value: str | int) -> str | None:
    try:
        base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        return f"'{value}' is not base64 decodeable"
    return None


def is_absolute(value: str | int) -> str | None:
    """A path on the node; Windows paths, which the official plugin takes too, are not known."""
    return None if str(value).startswith("/") else f"'{value}' must be an absolute path"
