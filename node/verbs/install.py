"""The verb `install`: put the running zipapp in its place and claim the node for its stack.

It comes before anything else of ours is on the node, so it brings itself: BOOTSTRAP reads the
document (first line) and the zipapp (the rest, bzip2 in base64) from stdin and runs it from memory.
"""

from __future__ import annotations

import hashlib
import pkgutil
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from node.errors import StepError
from node.host.paths import LIBRARY, LOCK, MANIFEST, STATE, ZIPAPP
from node.host.system import System, get_draft_path
from node.ranks.supervisors import restart_supervisors
from node.state import claim, document, lock, receipts
from node.verbs.self_removal import AGENT

AGENT_MISSING = (
    f"{ZIPAPP} is missing, and only the node agent can undo what {MANIFEST} records. "
    "Run pulumi up to reinstall it, then pulumi destroy."
)
BOOTSTRAP = """\
import base64, bz2, os, sys
document = sys.stdin.buffer.readline()
program = os.memfd_create("node", 0)
with os.fdopen(os.dup(program), "wb") as file:
    file.write(bz2.decompress(base64.b64decode(sys.stdin.buffer.read())))
read_end, write_end = os.pipe()
os.write(write_end, document)
os.close(write_end)
os.dup2(read_end, 0)
path = "/proc/self/fd/%d" % program
os.execv(sys.executable, [sys.executable, path, "install"])
"""
DRAIN_STDIN = "cat > /dev/null"
"""A command that ends before it has read its input fails the login that feeds it."""
_WAIT_FOR_LOCK = f"flock --wait {lock.WAIT_S:g} {LOCK} true"
TEARDOWN = "; ".join(
    [
        f"if [ -e {ZIPAPP} ]; then :; elif [ -d {STATE} ]; then {_WAIT_FOR_LOCK}; fi",
        f"if [ -e {ZIPAPP} ]; then exec python3 {ZIPAPP} undo --all; fi",
        DRAIN_STDIN,
        f"if [ -e {MANIFEST} ]; then echo {shlex.quote(AGENT_MISSING)} >&2; exit 1; fi",
        f"rm -f {LOCK} {get_draft_path(Path(ZIPAPP))}",
        *(
            f"if [ -d {folder} ]; then rmdir --ignore-fail-on-non-empty {folder}; fi"
            for folder in (LIBRARY, STATE)
        ),
        # Pulumi counts a command as failed that is over before it has read its input.
        "cat > /dev/null",
    ]
)
"""For a shell: `undo --all`; where there is no program, even once an interrupted run has ended, it
removes what a killed `install` or `undo --all` has left. One line: the login shell may be a csh."""
OLDEST_PYTHON = (3, 10)


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """Lines that say what was done. Raises StepError."""
    if arguments:
        raise StepError("`install` takes no argument.")
    return install(system, document.parse(stdin), Path(sys.argv[0]).read_bytes())


def observe(system: System) -> dict[str, str | None]:
    """Which node program is in place: in want's terms, null where none is."""
    text = system.read(ZIPAPP)
    digest = hashlib.sha256((text or "").encode("utf-8", "surrogateescape")).hexdigest()
    return {"sha256": None if text is None else digest}


def install(system: System, step_document: document.StepDocument, zipapp: bytes) -> list[str]:
    """`want` is {"sha256": of the zipapp}: a program cut short on its way is not installed."""
    if hashlib.sha256(zipapp).hexdigest() != step_document.want.get("sha256"):
        raise StepError("The node agent arrived corrupted; run `pulumi up` again.")
    import_all_modules()
    for folder in (STATE, LIBRARY):
        system.path(folder).parent.mkdir(parents=True, exist_ok=True)
        system.make_directory(folder, 0o755)
    with lock.hold(system, f"install for {step_document.owner}"):
        previous_owner = receipts.read_owner(system, AGENT)
        claim.require_free(system, step_document.owner)
        # First the program, which can take back all that follows.
        system.write(ZIPAPP, zipapp.decode("utf-8", "surrogateescape"), 0o755)
        claim.take(system, step_document.owner)
        receipts.write(system, AGENT, step_document.text)
    # A program that runs imports from the file that it was started from.
    restart_supervisors(system)
    messages = (
        [f"taken over from {previous_owner}"]
        if previous_owner not in (None, step_document.owner)
        else []
    )
    return [
        *messages,
        f"node agent installed; node claimed for {claim.get_stack(step_document.owner)}",
    ]


def import_all_modules() -> None:
    """All of the program loads here, or nothing of it is installed. Raises StepError."""
    import node

    if sys.version_info < OLDEST_PYTHON:
        raise StepError("This node's python3 is older than 3.10; DGX OS 7 has 3.12.")
    try:
        import_module("yaml")
    except ImportError:
        raise StepError("PyYAML is missing; run `sudo apt install python3-yaml`.") from None
    for module in pkgutil.walk_packages(node.__path__, "node."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
