"""What deletes a node's last resource: a shell line for whatever an installation has left."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from node.host.paths import LIBRARY, LOCK, MANIFEST, STATE, ZIPAPP
from node.host.system import get_draft_path
from node.verbs.install import TEARDOWN

# Says that it ran, as the node program would, and with which words.
PROGRAM = "import sys; print(*sys.argv[1:], sys.stdin.read())"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with the folders that every machine has."""
    for folder in (STATE, LIBRARY):
        (tmp_path / folder.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
    return tmp_path


def put_files(root: Path, *paths: str | Path, text: str = "") -> None:
    for path in paths:
        file = root / str(path).lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def build_teardown(root: Path) -> str:
    return TEARDOWN.replace(STATE, f"{root}{STATE}").replace(LIBRARY, f"{root}{LIBRARY}")


def run_teardown(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", build_teardown(root)],
        input="the document",
        capture_output=True,
        text=True,
        timeout=10,
    )


def list_left(root: Path) -> list[str]:
    folders = [root / folder.lstrip("/") for folder in (STATE, LIBRARY)]
    return [str(folder_path) for folder_path in folders if folder_path.exists()]


def test_with_the_program_in_place_everything_is_undone_by_it(root: Path) -> None:
    put_files(root, LOCK, MANIFEST)
    put_files(root, ZIPAPP, text=PROGRAM)
    assert run_teardown(root).stdout == "undo --all the document\n"


@pytest.mark.parametrize("leftovers", [[], [LOCK], [LOCK, get_draft_path(Path(ZIPAPP))]], ids=len)
def test_an_installation_killed_before_the_program_was_there_leaves_nothing(
    root: Path, leftovers: list[str | Path]
) -> None:
    put_files(root, *leftovers)
    result = run_teardown(root)
    assert (result.returncode, result.stderr) == (0, "")
    assert list_left(root) == []


def test_all_of_the_input_is_read_for_otherwise_the_login_fails(root: Path) -> None:
    put_files(root, LOCK)
    with subprocess.Popen(["sh", "-c", build_teardown(root)], stdin=subprocess.PIPE) as shell:
        assert shell.stdin
        shell.stdin.write(b"x" * 10**6)
        shell.stdin.close()
    assert list_left(root) == []


def test_what_somebody_put_into_our_folder_stays(root: Path) -> None:
    put_files(root, f"{STATE}/models/weights", LOCK)
    assert run_teardown(root).returncode == 0
    assert list_left(root) == [f"{root}{STATE}"]


def test_a_manifest_without_the_program_is_refused_with_the_way_out(root: Path) -> None:
    put_files(root, MANIFEST)
    result = run_teardown(root)
    assert result.returncode == 1
    assert "Run pulumi up" in result.stderr
    assert list_left(root)


def test_an_interrupted_run_is_waited_for(root: Path) -> None:
    """An `install` that has not come to the program yet."""
    put_files(root, LOCK)
    script = f"echo held; sleep 0.5; printf '{PROGRAM}' > {root}{ZIPAPP}"
    (root / LIBRARY.lstrip("/")).mkdir()
    with subprocess.Popen(
        ["flock", f"{root}{LOCK}", "sh", "-c", script], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        assert run_teardown(root).stdout == "undo --all the document\n"
