"""pip of a virtual environment, held to a lock: every file must have the digest that it names.

Where the files come from is pip's own matter: the index of its configuration (/etc/pip.conf), which
may be a mirror, or a folder (`no-index`, `find-links`) on a node that reaches none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from node.errors import Refusal
from node.host.daemons import last_words
from node.host.system import System
from node.state.lock import aloud

COMMON = ("--no-input", "--disable-pip-version-check")
INSTALL = (
    "install",
    *COMMON,
    *("--require-hashes", "--no-deps", "--only-binary", ":all:", "--ignore-installed"),
    *("--no-cache-dir", "--no-warn-script-location", "--root-user-action", "ignore"),
    *("--progress-bar", "off", "--quiet"),
)
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")
"""The kernel ends pip with the program that started it: a killed run frees the node's lock, and the
next one must not meet a pip in the same folder (prctl(2), PR_SET_PDEATHSIG)."""

TOGETHER = 12
"""Lines of a lock that are fetched at once: what a killed run has to fetch again."""

FETCH_LIMIT_S = 3600.0
REMOVE_LIMIT_S = 300.0


def install(
    system: System, python: str, lines: Sequence[str], target: str | None = None
) -> list[str]:
    """Install these lines of a lock, part by part, and say so as it goes. Raises Refusal."""
    done = 0
    for part in parts(lines):
        _pip(system, python, [*INSTALL, *_into(target)], FETCH_LIMIT_S, "\n".join(part) + "\n")
        done += len(part)
        aloud(f"{done} of {len(lines)} packages are there")
    return [f"{len(lines)} packages installed"] if lines else []


def uninstall(system: System, python: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    _pip(system, python, ["uninstall", "--yes", "--quiet", *COMMON, *names], REMOVE_LIMIT_S)
    return [f"removed {', '.join(names)}"]


def parts(lines: Sequence[str]) -> Iterator[Sequence[str]]:
    """Pure."""
    for start in range(0, len(lines), TOGETHER):
        yield lines[start : start + TOGETHER]


def _into(target: str | None) -> list[str]:
    return ["--target", target, "--upgrade"] if target else []


def _pip(
    system: System, python: str, arguments: Sequence[str], limit_s: float, stdin: str = ""
) -> None:
    source = ["-r", "/dev/stdin"] if stdin else []
    argv = [*DIES_WITH_US, python, "-I", "-m", "pip", *arguments, *source]
    done = system.run(argv, stdin, timeout_s=limit_s)
    if done.code:
        raise Refusal(f"pip {arguments[0]} failed: {last_words(done)}")
