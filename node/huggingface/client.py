"""The real Hugging Face client in a virtual environment of its own, from pinned wheels."""

from __future__ import annotations

import hashlib

from node.changes import directory, tree
from node.errors import Refusal
from node.host.daemons import last_words
from node.host.system import System
from node.huggingface.lock import LOCK
from node.state.manifest import Journal

FOLDER = "/opt/sparkform/hub"
PYTHON = f"{FOLDER}/bin/python"
HF = f"{FOLDER}/bin/hf"
MARK = f"{FOLDER}/lock.sha256"
"""Written last: an installation that was cut short has none."""
INSTALL_LIMIT_S = 600.0
NO_VENV = "python3 cannot make a virtual environment; run `sudo apt install python3-venv`"


def wanted() -> str:
    return hashlib.sha256(LOCK.encode()).hexdigest()


def installed(system: System) -> str | None:
    """The digest of the lock that the client was installed from; None where there is none."""
    return (system.read(MARK) or "").strip() or None


def install(journal: Journal) -> None:
    """Make it anew. Raises Refusal where Python or the package index does not play along."""
    directory.make_parents(journal, FOLDER)
    tree.remember(journal, FOLDER)
    tree.remove(journal.system, FOLDER)
    system = journal.system
    made = system.run(["python3", "-m", "venv", FOLDER], timeout_s=INSTALL_LIMIT_S)
    if made.code:
        raise Refusal(f"{NO_VENV} ({last_words(made)})")
    flags = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-cache-dir"]
    argv = [PYTHON, "-m", "pip", "install", *flags, "--requirement", "/dev/stdin"]
    done = system.run(argv, stdin=LOCK, timeout_s=INSTALL_LIMIT_S)
    if done.code:
        raise Refusal(f"The hub's client cannot be installed: {last_words(done)}")
    system.write(MARK, wanted() + "\n")
