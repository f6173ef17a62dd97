"""What this node offers to others, as files that its server reads, and the start of that server."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote, unquote

from node.changes import process, tree, unit
from node.delivery import bundles
from node.errors import Refusal
from node.host.daemons import must
from node.host.paths import SPREAD_PORT as PORT
from node.host.paths import STATE
from node.host.progress import size
from node.host.system import System
from node.state.manifest import Journal
from node.transfer import bundle

FOLDER = "/run/sparkform-spread"
UNIT = "sparkform-spread.service"
READY_S = 15.0
PAUSE_S = 0.1


@contextmanager
def doors(system: System) -> Iterator[None]:
    """Held while an offer comes or the server decides to end, so that neither misses the other."""
    handle = os.open(system.path(STATE), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def open_for(journal: Journal, name: str, listen: Sequence[str]) -> list[str]:
    """Offer what the step `name` has brought to this node. Raises Refusal where it has not."""
    system = journal.system
    process.remember(journal)
    found = bundles.of(journal, name)
    unit.remember(journal, UNIT)
    with doors(system):
        if system.state(FOLDER) is None:
            tree.remember(journal, FOLDER)
            system.make_directory(FOLDER, 0o700)
        system.write(_path(name), found.to_text(), 0o600)
        if not _answers(system):
            _start(system, listen)
    return [f"{name}: {size(found.bytes)} offered at {', '.join(listen)}"]


def names(system: System) -> list[str]:
    return [unquote(name) for name in system.names(FOLDER) if not name.startswith(".")]


def text_of(system: System, name: str) -> str | None:
    return system.read(_path(name))


def stamp_of(system: System, name: str) -> str:
    """Differs for each time that the parcel was offered."""
    try:
        found = os.stat(system.path(_path(name)))
    except FileNotFoundError:
        return ""
    return f"{found.st_ino} {found.st_mtime_ns}"


def take_back(system: System, name: str) -> None:
    """A file that was made for the offer goes with it."""
    text = text_of(system, name)
    found = bundle.parse(text) if text else None
    if found and found.about.get("temporary"):
        shutil.rmtree(system.path(found.root), ignore_errors=True)
    system.remove(_path(name))


def close(system: System) -> None:
    shutil.rmtree(system.path(FOLDER), ignore_errors=True)


def _path(name: str) -> str:
    return f"{FOLDER}/{quote(name, safe='')}"


def _answers(system: System) -> bool:
    return system.run(["systemctl", "is-active", "--quiet", UNIT]).code == 0


def _start(system: System, listen: Sequence[str]) -> None:
    """Bound to those addresses only; gone for systemd, too, once it has ended."""
    program = os.path.abspath(sys.argv[0])
    started = ["systemd-run", "--quiet", "--collect", f"--unit={UNIT}", "--service-type=exec"]
    must(system, [*started, "python3", program, "spread", str(PORT), *listen], timeout_s=30)
    until = time.monotonic() + READY_S
    while str(PORT) not in system.run(["ss", "-Hltn", f"sport = :{PORT}"]).out:
        if time.monotonic() > until:
            log = system.run(["journalctl", "-u", UNIT, "-n", "3", "-o", "cat", "--no-pager"])
            raise Refusal(f"{UNIT} does not listen at port {PORT}: {log.out.strip()}")
        time.sleep(PAUSE_S)
