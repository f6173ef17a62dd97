"""The zipapp that is sent to nodes, and how fast this package is to import."""

from __future__ import annotations

import base64
import bz2
import io
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from node.ranks import signatures, stages
from sparkform.ssh import agent


def test_the_same_sources_give_the_same_bytes_whenever_and_wherever(tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "node"
    shutil.copytree(agent.SOURCES, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for path in copy.rglob("*"):
        os.utime(path, (time.time() - 1e6, 1e9))
        path.chmod(0o777)
    assert agent.build_zipapp(copy) == agent.build_zipapp()


def test_another_source_gives_other_bytes(tmp_path: Path) -> None:
    copy = tmp_path / "node"
    shutil.copytree(agent.SOURCES, copy)
    (copy / "observe.py").write_text("changed = True\n")
    assert agent.build_zipapp(copy) != agent.build_zipapp()


def test_it_holds_every_module_and_table_and_nothing_compiled() -> None:
    names = zipfile.ZipFile(io.BytesIO(agent.build_zipapp())).namelist()
    paths = [*agent.SOURCES.rglob("*.py"), *agent.SOURCES.rglob("*.csv")]
    sources = {f"node/{path.relative_to(agent.SOURCES)}" for path in paths}
    assert set(names) == {"__main__.py", *sources}
    assert "node/ranks/signatures.csv" in names


def test_it_travels_in_a_resource_at_a_third_of_its_size_at_most_and_arrives_whole() -> None:
    sent = agent.pack_zipapp(agent.build_zipapp())
    assert len(sent) < len(agent.build_zipapp()) / 3
    assert bz2.decompress(base64.b64decode(sent)) == agent.build_zipapp()


def test_it_runs_out_of_a_pipe_and_leaves_nothing_behind(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-I", "-c", agent.BOOTSTRAP, "wrong-verb"],
        input=agent.build_zipapp(),
        capture_output=True,
        cwd=tmp_path,
        timeout=20,
        check=False,
    )
    assert result.returncode == 2
    assert b"usage: node.pyz" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_its_tables_are_read_out_of_the_zip(tmp_path: Path) -> None:
    program = tmp_path / "node.pyz"
    program.write_bytes(agent.build_zipapp())
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from node.ranks import signatures, stages\n"
        "print(len(signatures.load_signatures()), len(stages.load_stages()))"
    )
    command = [sys.executable, "-I", "-c", code, str(program)]
    output = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    counts = (len(signatures.load_signatures()), len(stages.load_stages()))
    assert output.split() == [str(count) for count in counts]


def test_the_bootstrap_has_nothing_that_a_login_shell_would_change() -> None:
    assert not set("\n!'$`") & set(agent.BOOTSTRAP)


def test_importing_the_facts_does_not_import_the_ssh_library() -> None:
    text = "import sys, sparkform.ssh.observe; sys.exit('asyncssh' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", text], timeout=20, check=False).returncode == 0
