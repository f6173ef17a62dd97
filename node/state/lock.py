"""One verb at a time on a node. The kernel frees the lock when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from node.errors import Refusal
from node.host.output import is_unread
from node.host.paths import LOCK, STATE
from node.host.system import System

# A dockerd restart may take two minutes and a network change half of one.
WAIT_S = 180.0
PAUSE_S = 0.5
LOOK_S = 0.1
# Steps of one run wait for each other for seconds; longer than this, somebody wants to know why.
TELL_S = 10.0
# Who asked for it may be back with other wishes, and whoever waits gets the lock in no order.
ORPHANED = "Nobody waits for this run any more, so it does nothing."
Tell = Callable[[str], None]


def aloud(line: str) -> None:
    """At once, while the verb still waits; all other lines come when it is done."""
    print(line, flush=True)


def silently(line: str) -> None:
    """For what prints nothing but its one answer."""


class Gone(Refusal):
    """There is no state directory: nothing was installed, or an `undo --all` has removed it."""


@contextmanager
def held(
    system: System,
    who: str,
    wait_s: float = WAIT_S,
    tell: Tell = aloud,
    holds_s: float = 0.0,
) -> Iterator[None]:
    """Hold the node's lock. Raises Refusal naming the holder after `wait_s`, or once nobody reads
    what this run prints, and Gone where the state directory is gone: an `undo --all` that ran
    meanwhile must not find it made anew.

    `holds_s`: others wait that long for this one where it is longer than they would wait."""
    handle = _acquire(system, wait_s, tell)
    try:
        _sign(handle, who, holds_s)
        yield
    finally:
        os.close(handle)


def settle(system: System, limit_s: float) -> None:
    """Wait until nobody holds the lock, or for `limit_s`. Takes nothing and makes nothing."""
    deadline = time.monotonic() + limit_s
    while _is_held(system) and time.monotonic() < deadline:
        time.sleep(LOOK_S)


def _is_held(system: System) -> bool:
    try:
        handle = os.open(system.path(LOCK), os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _acquire(system: System, wait_s: float, tell: Tell) -> int:
    began, told = time.monotonic(), False
    while True:
        if is_unread():
            raise Refusal(ORPHANED)
        handle = _try(system)
        if handle is not None:
            return handle
        waited_s = time.monotonic() - began
        if waited_s >= wait_s and time.time() >= _until(system):
            raise Refusal(f"{_holder(system)}; waited {wait_s:g} s for it.")
        if waited_s >= TELL_S and not told:
            tell(f"waits: {_holder(system)}")
            told = True
        time.sleep(PAUSE_S)


def _try(system: System) -> int | None:
    path = system.path(LOCK)
    if system.state(STATE) is None:
        raise Gone("Nothing of sparkform is on this node; run `pulumi up`, which installs first.")
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The file may have gone with an `undo --all` since it was opened: then this lock is void.
        if path.exists() and path.stat().st_ino == os.fstat(handle).st_ino:
            return handle
    except BlockingIOError:
        pass
    os.close(handle)
    return None


def _sign(handle: int, who: str, holds_s: float) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    until = time.time() + holds_s
    text = json.dumps({"who": who, "since": since, "pid": os.getpid(), "until_unix_s": until})
    os.ftruncate(handle, 0)
    os.pwrite(handle, text.encode(), 0)


def _until(system: System) -> float:
    """When the holder means to be done, in seconds of the machine's clock."""
    with suppress(ValueError, KeyError, TypeError):
        return float(json.loads(system.read(LOCK) or "")["until_unix_s"])
    return 0.0


def _holder(system: System) -> str:
    with suppress(ValueError, KeyError, TypeError):
        found = json.loads(system.read(LOCK) or "")
        return f"The node is held by {found['who']} since {found['since']} UTC, pid {found['pid']}"
    return "The node is held by another run that has not named itself yet"
