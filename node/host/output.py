"""What a run prints, and whether its client still reads it."""

from __future__ import annotations

import select
import sys

CLOSED_EVENTS = select.POLLERR | select.POLLHUP | select.POLLNVAL


def print_now(line: str) -> None:
    """Print progress, on stderr: it is shown as it comes, and what was done comes on stdout."""
    print(line, file=sys.stderr, flush=True)


def is_unread() -> bool:
    """Whether standard output's other end is closed, as when the SSH session has ended."""
    poller = select.poll()
    poller.register(sys.__stdout__.fileno() if sys.__stdout__ else 1, 0)
    return any(event & CLOSED_EVENTS for _, event in poller.poll(0))
