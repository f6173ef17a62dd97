"""The text of a recipe: a file, standard input, or an address."""

from __future__ import annotations

import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from sparkform.errors import InputError, Problem

LARGEST_BYTES = 256 * 1024
TIMEOUT_S = 20.0
STDIN = "-"
BLOB = re.compile(r"https://github\.com/([^/]+/[^/]+)/blob/(.+)")
"""A page of GitHub around a file; its text lies elsewhere."""


def read_source(source: str) -> str:
    """Raises InputError for what cannot be read."""
    content = _fetch(source) if _is_address(source) else _read_local(source)
    if len(content) > LARGEST_BYTES:
        raise _refuse(source, f"is larger than {LARGEST_BYTES // 1024} KiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refuse(source, "is not UTF-8 text") from None


def choose_name(source: str) -> str:
    """What a recipe without a name is called: the file's name without its ending."""
    if source == STDIN:
        return "main"
    return Path(urllib.parse.urlsplit(source).path).stem or "main"


def _is_address(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _read_local(source: str) -> bytes:
    try:
        if source == STDIN:
            return sys.stdin.buffer.read(LARGEST_BYTES + 1)
        with Path(source).open("rb") as stream:
            return stream.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the name is not one of a file"
        raise _refuse(source, f"cannot be read: {reason}") from None


def _fetch(address: str) -> bytes:
    raw = BLOB.sub(r"https://raw.githubusercontent.com/\1/\2", address)
    try:
        with urllib.request.urlopen(raw, timeout=TIMEOUT_S) as response:
            content: bytes = response.read(LARGEST_BYTES + 1)
            return content
    except urllib.error.HTTPError as error:
        error.close()
        raise _refuse(address, f"cannot be read: the server answers {error.code}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise _refuse(address, f"cannot be read: {reason}") from None


def _refuse(source: str, message: str) -> InputError:
    return InputError([Problem(path=source, message=message)])
