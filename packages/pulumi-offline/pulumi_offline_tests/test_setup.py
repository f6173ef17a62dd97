"""`make setup` in a copy of the clone: what it uses, what it builds, what it skips."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pulumi_offline.launchers import render_wrapper
from pulumi_offline.layout import PACKAGE
from pulumi_offline.setup import set_up
from pulumi_offline.steps import plugins
from pulumi_offline.versions import parse_pinned_pulumi, parse_version
from pulumi_offline_tests.clone import ROOT, Clone

BUILDING_GO = """
case "$1" in
version) echo go version go1.26.0 linux/amd64 ;;
build) shift; while [ "$1" != -o ]; do shift; done; echo "#!/bin/false" > "$2"; chmod +x "$2" ;;
list) echo {module} ;;
esac
"""


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone.create(tmp_path / "copy")


def plant_go(clone: Clone) -> None:
    module = clone.folder / "sdk"
    (module / "python" / "cmd").mkdir(parents=True)
    (module / "python" / "cmd" / "pulumi-language-python-exec").write_text("executor")
    clone.plant("go", BUILDING_GO.format(module=module))


def run_setup(clone: Clone) -> dict[str, str]:
    result = clone.setup()
    assert result.returncode == 0, result.stderr
    pairs = (line.split(": ", 1) for line in result.stdout.splitlines())
    return {pair[0]: pair[1] for pair in pairs}


def list_unchanged(outcomes: dict[str, str]) -> set[str]:
    """The steps that had nothing to do."""
    return {name for name, outcome in outcomes.items() if outcome.startswith("unchanged")}


def test_a_pulumi_on_path_is_used_and_nothing_is_built(clone: Clone) -> None:
    official = clone.plant_official()
    assert run_setup(clone)["pulumi"] == f"{official} is used as it is"
    assert (clone.layout.cli / "pulumi").resolve() == official
    assert not (clone.layout.cli / "pulumi-language-python").exists(), "it has its own"
    assert not clone.cache.exists()


def test_an_older_pulumi_on_path_is_told_and_not_used(clone: Clone) -> None:
    old = clone.plant_official("v3.258.0")
    plant_go(clone)
    assert run_setup(clone)["pulumi"] == (
        f"3.259.0 built from Go modules ({old} is 3.258.0, older than 3.259.0)"
    )
    assert (clone.layout.cli / "pulumi").read_text() == "#!/bin/false\n"


def test_a_wrapper_of_another_clone_is_not_taken_for_an_official_pulumi(clone: Clone) -> None:
    clone.plant_official()
    (clone.folder / "bin" / "pulumi").write_text(render_wrapper(clone.layout, acquire_plugins=True))
    plant_go(clone)
    assert "no pulumi on PATH" in run_setup(clone)["pulumi"]


def test_a_second_setup_repeats_nothing_and_takes_below_three_seconds(clone: Clone) -> None:
    plant_go(clone)
    assert not list_unchanged(run_setup(clone))
    started = time.monotonic()
    outcomes = run_setup(clone)
    assert list_unchanged(outcomes) == outcomes.keys()
    assert time.monotonic() - started < 3.0


def test_only_the_step_whose_input_changed_is_repeated(clone: Clone) -> None:
    plant_go(clone)
    run_setup(clone)
    with (clone.layout.module / "tools.go").open("a") as file:
        file.write("// changed\n")
    outcomes = run_setup(clone)
    assert outcomes.keys() - list_unchanged(outcomes) == {"pulumi"}


def test_our_modules_are_compiled_and_again_when_one_has_changed(clone: Clone) -> None:
    plant_go(clone)
    compiled = (
        clone.root / "sparkform" / "__pycache__" / f"errors.{sys.implementation.cache_tag}.pyc"
    )
    assert not compiled.exists()
    assert run_setup(clone)["bytecode"].endswith("modules compiled")
    first = compiled.read_bytes()
    module = clone.root / "sparkform" / "errors.py"
    module.write_text(f"{module.read_text()}CHANGED = True\n")
    # compileall goes by the second of the last change; Python, at import, by the size too.
    os.utime(module, (time.time() + 2, time.time() + 2))
    outcomes = run_setup(clone)
    assert outcomes.keys() - list_unchanged(outcomes) == {"bytecode"}
    assert compiled.read_bytes() != first


def test_a_pulumi_that_appears_on_path_takes_the_place_of_the_built_one(clone: Clone) -> None:
    plant_go(clone)
    run_setup(clone)
    official = clone.plant_official()
    assert run_setup(clone)["pulumi"] == f"{official} is used as it is"


def test_an_official_pulumi_that_is_gone_is_named(clone: Clone) -> None:
    plant_go(clone)
    official = clone.plant_official()
    run_setup(clone)
    official.unlink()
    assert run_setup(clone)["pulumi"] == (
        f"3.259.0 built from Go modules (no pulumi on PATH; {official} was in use before)"
    )


def test_what_was_built_once_serves_another_clone_without_go(clone: Clone) -> None:
    plant_go(clone)
    run_setup(clone)
    (clone.folder / "bin" / "go").unlink()
    subprocess.run(["rm", "-r", clone.layout.toolchain], check=True)
    assert "built from Go modules" in run_setup(clone)["pulumi"]
    assert (clone.layout.cli / "pulumi").read_text() == "#!/bin/false\n"
    assert (clone.layout.cli / "pulumi-language-python-exec").read_text() == "executor"


def test_the_passphrase_is_made_once_and_for_the_owner_alone(clone: Clone) -> None:
    clone.plant_official()
    run_setup(clone)
    first = clone.layout.passphrase.read_text()
    assert len(first) >= 40
    assert clone.layout.passphrase.stat().st_mode & 0o777 == 0o600
    subprocess.run(["rm", "-r", clone.layout.toolchain], check=True)
    run_setup(clone)
    assert clone.layout.passphrase.read_text() == first


def test_setup_writes_nothing_into_a_users_home(clone: Clone) -> None:
    clone.plant_official()
    run_setup(clone)
    assert list((clone.folder / "home").iterdir()) == []


def plant_stand_in(clone: Clone) -> None:
    folder = clone.root / PACKAGE / "plugins" / "command"
    folder.mkdir(parents=True)
    (folder / "__main__.py").write_text("import sys\nprint('stand-in', *sys.argv[1:])\n")


def test_a_stand_in_is_installed_under_a_name_that_says_so(clone: Clone) -> None:
    plant_stand_in(clone)
    clone.plant_official()
    assert run_setup(clone)["plugins"] == (
        "command 1.2.1 (stand-in), docker 5.2.0 (missing); out of reach: official command, docker"
    )
    assert run_setup(clone)["plugins"] == (
        "unchanged: command 1.2.1 (stand-in), docker 5.2.0 (missing)"
    )
    path = clone.layout.home / "plugins" / "resource-command-v1.2.1"
    assert path.resolve().name == "resource-command-v1.2.1+stand-in"
    launcher = str(path / "pulumi-resource-command")
    assert subprocess.check_output([launcher, "engine:1"], text=True) == "stand-in engine:1\n"


def test_pulumi_lists_a_stand_in_as_one(clone: Clone) -> None:
    plant_stand_in(clone)
    clone.plant_official()
    run_setup(clone)
    listed = subprocess.check_output(
        [ROOT / ".toolchain" / "cli" / "pulumi", "plugin", "ls"],
        env={**clone.environment, "PULUMI_HOME": str(clone.layout.home)},
        text=True,
    )
    assert "1.2.1+stand-in" in listed
    assert len([line for line in listed.splitlines() if line.startswith("command ")]) == 1


def test_an_official_plugin_takes_the_place_of_a_stand_in(clone: Clone) -> None:
    plant_stand_in(clone)
    clone.plant_official()
    run_setup(clone)
    clone.plant(
        "pulumi",
        '[ "$1" = version ] && echo v3.260.0 && exit 0\n'
        # Like the real one, it does nothing where the plugin seems to be there.
        'path=$PULUMI_HOME/plugins/resource-$4-v$5\n[ -e "$path" ] || mkdir -p "$path"',
    )
    subprocess.run(["rm", clone.layout.toolchain / "stamps" / "plugins"], check=True)
    assert run_setup(clone)["plugins"] == "command 1.2.1 (official), docker 5.2.0 (official)"
    assert run_setup(clone)["plugins"] == (
        "unchanged: command 1.2.1 (official), docker 5.2.0 (official)"
    )
    assert plugins.are_all_official(clone.machine)
    assert not list((clone.layout.home / "plugins").glob("*+stand-in"))


def test_an_official_plugin_stays_when_another_is_out_of_reach(clone: Clone) -> None:
    plant_stand_in(clone)
    clone.plant_official()
    (clone.layout.home / "plugins" / "resource-docker-v5.2.0").mkdir(parents=True)
    assert run_setup(clone)["plugins"] == (
        "command 1.2.1 (stand-in), docker 5.2.0 (official); out of reach: official command"
    )


def test_a_site_that_says_nothing_does_not_hang_setup(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone.plant_official()
    requests = clone.folder / "asked"
    clone.plant(
        "pulumi",
        f'[ "$1" = version ] && echo v3.259.0 && exit 0\necho $4 >> {requests}\nexec sleep 600',
    )
    monkeypatch.setattr(plugins, "SILENCE_S", 1.0)
    started = time.monotonic()
    set_up(clone.machine)
    assert time.monotonic() - started < 5.0
    assert requests.read_text() == "command\n", "the site is not asked again for docker"


def test_a_slow_download_is_waited_for(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    clone.plant_official()
    clone.plant(
        "pulumi",
        '[ "$1" = version ] && echo v3.259.0 && exit 0\n'
        'for part in 1 2 3 4; do echo part >> "$TMPDIR/download"; sleep 0.7; done\n'
        'mkdir -p "$PULUMI_HOME/plugins/resource-$4-v$5"',
    )
    monkeypatch.setattr(plugins, "SILENCE_S", 1.5)
    set_up(clone.machine)
    assert plugins.are_all_official(clone.machine)


def test_the_real_cli_states_its_version() -> None:
    result = subprocess.run(
        [ROOT / ".toolchain" / "bin" / "pulumi", "version"],
        env={**os.environ, "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=True,
    )
    oldest = parse_pinned_pulumi((ROOT / PACKAGE / "cli" / "go.mod").read_text())
    version = parse_version(result.stdout)
    assert version is not None
    assert version >= oldest
