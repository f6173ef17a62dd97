"""Offers of this node, as files that its transfer server reads, and the start of that server."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote, unquote

from node.changes import process, tree, unit
from node.delivery import bundles
from node.errors import StepError
from node.host.daemons import run_checked
from node.host.paths import STATE
from node.host.paths import TRANSFER_PORT as PORT
from node.host.progress import format_size
from node.host.system import System
from node.host.waiting import wait_until
from node.state.manifest import Manifest
from node.transfer import bundle

FOLDER = "/run/sparkform-spread"
UNIT = "sparkform-spread.service"
READY_S = 15.0
PAUSE_S = 0.1


@contextmanager
def hold_offers(system: System) -> Iterator[None]:
    """Held while an offer is added or the server decides to end, so neither misses the other."""
    handle = os.open(system.path(STATE), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def add_offer(manifest: Manifest, name: str, listen: Sequence[str]) -> list[str]:
    """Offer what the step `name` has brought to this node. Raises StepError where it is missing."""
    system = manifest.system
    process.record(manifest)
    bundle = bundles.build_for_step(manifest, name)
    unit.record(manifest, UNIT)
    with hold_offers(system):
        if system.get_state(FOLDER) is None:
            tree.record(manifest, FOLDER)
            system.make_directory(FOLDER, 0o700)
        system.write(_get_path(name), bundle.to_json(), 0o600)
        if not _is_active(system):
            _start_server(system, listen)
    return [f"{name}: {format_size(bundle.bytes)} offered at {', '.join(listen)}"]


def list_names(system: System) -> list[str]:
    return [unquote(name) for name in system.list_names(FOLDER) if not name.startswith(".")]


def read_text(system: System, name: str) -> str | None:
    return system.read(_get_path(name))


def get_stamp(system: System, name: str) -> str:
    """A text that differs for each time that the bundle was offered."""
    try:
        status = os.stat(system.path(_get_path(name)))
    except FileNotFoundError:
        return ""
    return f"{status.st_ino} {status.st_mtime_ns}"


def remove_offer(system: System, name: str) -> None:
    """Remove the offer, and a file that was made for it."""
    text = read_text(system, name)
    offered = bundle.parse_bundle(text) if text else None
    if offered and offered.image:
        shutil.rmtree(system.path(offered.root), ignore_errors=True)
    system.remove(_get_path(name))


def remove_all(system: System) -> None:
    shutil.rmtree(system.path(FOLDER), ignore_errors=True)


def _get_path(name: str) -> str:
    return f"{FOLDER}/{quote(name, safe='')}"


def _is_active(system: System) -> bool:
    return system.run(["systemctl", "is-active", "--quiet", UNIT]).code == 0


def _start_server(system: System, listen: Sequence[str]) -> None:
    """Bound to those addresses only; `--collect` lets systemd forget the unit when it ends."""
    program = os.path.abspath(sys.argv[0])
    command = ["systemd-run", "--quiet", "--collect", f"--unit={UNIT}", "--service-type=exec"]
    run_checked(system, [*command, "python3", program, "spread", str(PORT), *listen], timeout_s=30)
    if not wait_until(lambda: _is_listening(system), READY_S, PAUSE_S):
        log = system.run(["journalctl", "-u", UNIT, "-n", "3", "-o", "cat", "--no-pager"])
        raise StepError(f"{UNIT} does not listen on port {PORT}: {log.out.strip()}")


def _is_listening(system: System) -> bool:
    return str(PORT) in system.run(["ss", "-Hltn", f"sport = :{PORT}"]).out
