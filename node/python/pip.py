"""pip of a virtual environment, with a lock: every file must have the digest that it names.

Where the files come from is pip's own matter: the index of its configuration (/etc/pip.conf), which
may be a mirror, or a folder (`no-index`, `find-links`) on a node that reaches none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from node.errors import StepError
from node.host.daemons import get_last_line
from node.host.output import print_now
from node.host.system import System

COMMON = ("--no-input", "--disable-pip-version-check")
INSTALL = (
    "install",
    *COMMON,
    *("--require-hashes", "--no-deps", "--only-binary", ":all:", "--ignore-installed"),
    *("--no-cache-dir", "--no-warn-script-location", "--root-user-action", "ignore"),
    *("--progress-bar", "off", "--quiet"),
)
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")
"""The kernel ends pip with the program that started it: a killed run frees the node's lock, and no
pip of it may work on in the same folder (prctl(2), PR_SET_PDEATHSIG)."""

BATCH_LINES = 12
"""Lines of a lock that are installed at once: what a killed run has to fetch again."""

FETCH_LIMIT_S = 3600.0
REMOVE_LIMIT_S = 300.0


def install(
    system: System, python: str, lines: Sequence[str], target: str | None = None
) -> list[str]:
    """Install these lines of a lock in batches, and print the progress. Raises StepError."""
    installed_count = 0
    for batch in split_batches(lines):
        _run_pip(
            system,
            python,
            [*INSTALL, *_build_target_arguments(target)],
            FETCH_LIMIT_S,
            "\n".join(batch) + "\n",
        )
        installed_count += len(batch)
        print_now(f"installed {installed_count} of {len(lines)} packages")
    return [f"{len(lines)} packages installed"] if lines else []


def uninstall(system: System, python: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    _run_pip(system, python, ["uninstall", "--yes", "--quiet", *COMMON, *names], REMOVE_LIMIT_S)
    return [f"removed {', '.join(names)}"]


def split_batches(lines: Sequence[str]) -> Iterator[Sequence[str]]:
    """Batches of BATCH_LINES lines. Pure."""
    for start in range(0, len(lines), BATCH_LINES):
        yield lines[start : start + BATCH_LINES]


def _build_target_arguments(target: str | None) -> list[str]:
    return ["--target", target, "--upgrade"] if target else []


def _run_pip(
    system: System, python: str, arguments: Sequence[str], limit_s: float, stdin: str = ""
) -> None:
    source = ["-r", "/dev/stdin"] if stdin else []
    argv = [*DIES_WITH_US, python, "-I", "-m", "pip", *arguments, *source]
    result = system.run(argv, stdin, timeout_s=limit_s)
    if result.code:
        raise StepError(f"pip {arguments[0]} failed: {get_last_line(result)}")
