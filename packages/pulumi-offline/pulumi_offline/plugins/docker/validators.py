"""Checks of single values, in the sentences of the official plugin's validators."""

from __future__ import annotations

import base64
import binascii
import re

from pulumi_offline.plugins.docker.durations import parse_duration
from pulumi_offline.plugins.docker.fields import Validator


def match_pattern(pattern: str) -> Validator:
    compiled = re.compile(pattern)

    def validate(value: str | int) -> str | None:
        if compiled.search(str(value)):
            return None
        return f"'{value}' doesn't match the pattern '{pattern}'"

    return validate


def require_minimum(threshold: int) -> Validator:
    def validate(value: str | int) -> str | None:
        return None if int(value) >= threshold else f"'{value}' cannot be lower than {threshold}"

    return validate


def validate_duration(value: str | int) -> str | None:
    nanoseconds = parse_duration(str(value))
    if nanoseconds is None:
        return f"'{value}' is not a valid duration"
    return None if nanoseconds >= 0 else f"'{value}' duration must not be negative"


def validate_base64(value: str | int) -> str | None:
    try:
        base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        return f"'{value}' is not base64 decodeable"
    return None
