"""The real Hugging Face client in a virtual environment of its own, from pinned wheels."""

from __future__ import annotations

import hashlib

from node.changes import directory, tree
from node.errors import StepError
from node.host.daemons import get_last_line
from node.host.paths import SOFTWARE
from node.host.system import System
from node.huggingface.lock import LOCK
from node.state.manifest import Manifest

FOLDER = f"{SOFTWARE}/hub"
PYTHON = f"{FOLDER}/bin/python"
HF = f"{FOLDER}/bin/hf"
DIGEST_FILE = f"{FOLDER}/lock.sha256"
"""Written last: an interrupted installation has none."""
INSTALL_LIMIT_S = 600.0
NO_VENV = "python3 cannot make a virtual environment; run `sudo apt install python3-venv`"


def get_lock_digest() -> str:
    return hashlib.sha256(LOCK.encode()).hexdigest()


def read_installed_digest(system: System) -> str | None:
    """The digest of the lock that the client was installed from; None where there is none."""
    return (system.read(DIGEST_FILE) or "").strip() or None


def install(manifest: Manifest) -> None:
    """Install the client from scratch. Raises StepError with the reason."""
    directory.make_parents(manifest, FOLDER)
    tree.record(manifest, FOLDER)
    tree.remove(manifest.system, FOLDER)
    system = manifest.system
    created = system.run(["python3", "-m", "venv", FOLDER], timeout_s=INSTALL_LIMIT_S)
    if created.code:
        raise StepError(f"{NO_VENV} ({get_last_line(created)})")
    flags = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-cache-dir"]
    argv = [PYTHON, "-m", "pip", "install", *flags, "--requirement", "/dev/stdin"]
    installation = system.run(argv, stdin=LOCK, timeout_s=INSTALL_LIMIT_S)
    if installation.code:
        raise StepError(f"The hub client cannot be installed: {get_last_line(installation)}")
    system.write(DIGEST_FILE, get_lock_digest() + "\n")
