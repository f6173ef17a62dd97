"""One verb at a time on a node. The kernel frees the lock when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from node.errors import StepError
from node.host.output import is_unread, print_now
from node.host.paths import LOCK, STATE
from node.host.system import System
from node.host.waiting import wait_while

# A dockerd restart may take two minutes and a network change half of one.
WAIT_S = 180.0
PAUSE_S = 0.5
POLL_S = 0.1
# Steps of one run wait for each other for seconds; longer than this, somebody wants to know why.
NOTIFY_AFTER_S = 10.0
# Who asked for it may be back with other wishes, and whoever waits gets the lock in no order.
CLIENT_GONE = "Client disconnected; nothing changed."
Notify = Callable[[str], None]


def ignore(line: str) -> None:
    """For what prints nothing but its one answer."""


class StateGoneError(StepError):
    """There is no state directory: nothing was installed, or an `undo --all` has removed it."""


@contextmanager
def hold(
    system: System,
    holder: str,
    wait_s: float = WAIT_S,
    notify: Notify = print_now,
    hold_s: float = 0.0,
) -> Iterator[None]:
    """Hold the node's lock. Raises StepError naming the holder after `wait_s`, or once nobody reads
    what this run prints, and Gone where the state directory is gone: an `undo --all` that ran
    meanwhile must not find it made anew.

    `holds_s`: others wait that long for this one where it is longer than they would wait."""
    lock_file = _acquire(system, wait_s, notify)
    try:
        _write_holder(lock_file, holder, hold_s)
        yield
    finally:
        os.close(lock_file)


def await_release(system: System, limit_s: float) -> None:
    """Wait until nobody holds the lock, or for `limit_s`. Takes nothing and makes nothing."""
    wait_while(lambda: _is_held(system), limit_s, POLL_S)


def _is_held(system: System) -> bool:
    try:
        lock_file = os.open(system.path(LOCK), os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock_file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock_file)
    return False


def _acquire(system: System, wait_s: float, notify: Notify) -> int:
    started_s, was_notified = time.monotonic(), False
    while True:
        if is_unread():
            raise StepError(CLIENT_GONE)
        lock_file = _try_lock(system)
        if lock_file is not None:
            return lock_file
        waited_s = time.monotonic() - started_s
        if waited_s >= wait_s and time.time() >= _read_hold_end(system):
            raise StepError(f"{_describe_holder(system)}; gave up after {wait_s:g} s.")
        if waited_s >= NOTIFY_AFTER_S and not was_notified:
            notify(f"waiting: {_describe_holder(system)}")
            was_notified = True
        time.sleep(PAUSE_S)


def _try_lock(system: System) -> int | None:
    path = system.path(LOCK)
    if system.get_state(STATE) is None:
        raise StateGoneError("sparkform is not installed on this node; run `pulumi up`.")
    lock_file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The file may have gone with an `undo --all` since it was opened: then this lock is void.
        if path.exists() and path.stat().st_ino == os.fstat(lock_file).st_ino:
            return lock_file
    except BlockingIOError:
        pass
    os.close(lock_file)
    return None


def _write_holder(lock_file: int, holder: str, hold_s: float) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    hold_end_s = time.time() + hold_s
    text = json.dumps(
        {"who": holder, "since": since, "pid": os.getpid(), "until_unix_s": hold_end_s}
    )
    os.ftruncate(lock_file, 0)
    os.pwrite(lock_file, text.encode(), 0)


def _read_hold_end(system: System) -> float:
    """When the holder means to be done, in seconds of the machine's clock."""
    with suppress(ValueError, KeyError, TypeError):
        return float(json.loads(system.read(LOCK) or "")["until_unix_s"])
    return 0.0


def _describe_holder(system: System) -> str:
    with suppress(ValueError, KeyError, TypeError):
        signature = json.loads(system.read(LOCK) or "")
        return (
            f"The node is locked by {signature['who']} since {signature['since']} UTC, pid "
            f"{signature['pid']}"
        )
    return "The node is locked (owner unknown)"
