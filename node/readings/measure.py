"""A measured value: a number, None where the machine has no such thing, or Unread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from node.errors import StepError
from node.facts.reading import UnreadableFact

Section = TypeVar("Section")


@dataclass(frozen=True)
class Unread:
    """It may be there: it could not be read. `why` never quotes what a file holds."""

    why: str


Count = int | None | Unread
Figure = float | None | Unread


def read_guarded(read: Callable[[], Section]) -> Section | Unread:
    """A section that cannot be read does not keep the others from being read."""
    try:
        return read()
    except (UnreadableFact, StepError) as error:
        return Unread(str(error))
    except OSError as error:
        return Unread(describe_os_error(error))
    except Exception as error:
        return Unread(f"failed with {type(error).__name__}")


def describe_os_error(error: OSError) -> str:
    """
    >>> describe_os_error(PermissionError(13, "Permission denied", "/proc/kmsg"))
    '/proc/kmsg: Permission denied'
    >>> describe_os_error(TimeoutError())
    'TimeoutError'
    """
    what = error.strerror or type(error).__name__
    return f"{error.filename}: {what}" if isinstance(error.filename, str) else what
