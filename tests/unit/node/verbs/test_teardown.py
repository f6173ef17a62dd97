"""What deletes a node's last resource: a shell line for whatever an installation has left."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from node.host.paths import LIBRARY, LOCK, MANIFEST, STATE, ZIPAPP
from node.host.system import draft_of
from node.verbs.install import WAY_BACK

# Says that it ran, as the node program would, and with which words.
PROGRAM = "import sys; print(*sys.argv[1:], sys.stdin.read())"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with the folders that every machine has."""
    for folder in (STATE, LIBRARY):
        (tmp_path / folder.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
    return tmp_path


def put(root: Path, *paths: str | Path, text: str = "") -> None:
    for path in paths:
        place = root / str(path).lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def line(root: Path) -> str:
    return WAY_BACK.replace(STATE, f"{root}{STATE}").replace(LIBRARY, f"{root}{LIBRARY}")


def give_back(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", line(root)], input="the document", capture_output=True, text=True, timeout=10
    )


def left(root: Path) -> list[str]:
    places = [root / folder.lstrip("/") for folder in (STATE, LIBRARY)]
    return [str(place) for place in places if place.exists()]


def test_with_the_program_in_place_everything_is_undone_by_it(root: Path) -> None:
    put(root, LOCK, MANIFEST)
    put(root, ZIPAPP, text=PROGRAM)
    assert give_back(root).stdout == "undo --all the document\n"


@pytest.mark.parametrize("there", [[], [LOCK], [LOCK, draft_of(Path(ZIPAPP))]], ids=len)
def test_an_installation_killed_before_the_program_was_there_leaves_nothing(
    root: Path, there: list[str | Path]
) -> None:
    put(root, *there)
    done = give_back(root)
    assert (done.returncode, done.stderr) == (0, "")
    assert left(root) == []


def test_all_of_the_input_is_read_for_otherwise_the_login_fails(root: Path) -> None:
    put(root, LOCK)
    with subprocess.Popen(["sh", "-c", line(root)], stdin=subprocess.PIPE) as shell:
        assert shell.stdin
        shell.stdin.write(b"x" * 10**6)
        shell.stdin.close()
    assert left(root) == []


def test_what_somebody_put_into_our_folder_stays(root: Path) -> None:
    put(root, f"{STATE}/models/weights", LOCK)
    assert give_back(root).returncode == 0
    assert left(root) == [f"{root}{STATE}"]


def test_a_manifest_without_the_program_is_refused_with_the_way_out(root: Path) -> None:
    put(root, MANIFEST)
    done = give_back(root)
    assert done.returncode == 1
    assert "Run pulumi up" in done.stderr
    assert left(root)


def test_an_interrupted_run_is_waited_for(root: Path) -> None:
    """An `install` that has not come to the program yet."""
    put(root, LOCK)
    script = f"echo held; sleep 0.5; printf '{PROGRAM}' > {root}{ZIPAPP}"
    (root / LIBRARY.lstrip("/")).mkdir()
    with subprocess.Popen(
        ["flock", f"{root}{LOCK}", "sh", "-c", script], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        assert give_back(root).stdout == "undo --all the document\n"
