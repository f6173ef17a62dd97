from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pulumi_offline.launchers import KEPT_FILES, render_module_launcher, render_wrapper
from pulumi_offline.layout import PACKAGE, Layout

OURS = {"PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE"}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A clone in a folder with a space and a quote, whose pulumi prints its environment."""
    layout = Layout(tmp_path / "a user's clone")
    layout.cli.mkdir(parents=True)
    (layout.cli / "pulumi").write_text('#!/bin/sh\nenv\necho "arguments=$*"\n')
    (layout.cli / "pulumi").chmod(0o755)
    return layout


def run_wrapper(
    layout: Layout, *, acquire_plugins: bool = True, **variables: str
) -> dict[str, str]:
    script = layout.toolchain / "wrapper"
    script.write_text(render_wrapper(layout, acquire_plugins=acquire_plugins))
    result = subprocess.run(
        ["sh", script, "up", "--yes"],
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = (line.split("=", 1) for line in result.stdout.splitlines())
    return {pair[0]: pair[1] for pair in lines if len(pair) == 2}


def test_the_wrapper_fills_in_home_backend_and_passphrase(layout: Layout) -> None:
    variables = run_wrapper(layout)
    assert variables["PULUMI_HOME"] == str(layout.home)
    assert variables["PULUMI_BACKEND_URL"] == f"file://{layout.state}"
    assert variables["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(layout.passphrase)
    assert variables["PULUMI_SKIP_UPDATE_CHECK"] == "true"
    assert variables["arguments"] == "up --yes"


@pytest.mark.parametrize(
    "variables",
    [{"PULUMI_BACKEND_URL": "s3://mine"}, {"PULUMI_ACCESS_TOKEN": "token"}],
)
def test_a_backend_of_the_users_own_never_sees_our_passphrase(layout: Layout, variables) -> None:
    seen_variables = run_wrapper(layout, **variables)
    assert {name: seen_variables[name] for name in OURS & set(seen_variables)} == {
        name: value for name, value in variables.items() if name in OURS
    }


def test_a_user_who_has_logged_in_keeps_that_backend(layout: Layout) -> None:
    layout.home.mkdir()
    credentials = layout.home / "credentials.json"
    credentials.write_text('{"current": "gs://mine"}')
    assert not OURS & set(run_wrapper(layout))
    credentials.write_text('{"current": ""}')
    assert set(run_wrapper(layout)) >= OURS, "who has logged out again has not chosen"


def test_a_backend_in_the_project_file_wins(layout: Layout) -> None:
    (layout.root / "Pulumi.yaml").write_text("name: x\nbackend:\n  url: s3://mine\n")
    assert not OURS & set(run_wrapper(layout))


@pytest.mark.parametrize(
    "variables",
    [
        {"PULUMI_CONFIG_PASSPHRASE": "mine"},
        {"PULUMI_CONFIG_PASSPHRASE": ""},
        {"PULUMI_CONFIG_PASSPHRASE_FILE": "/mine"},
    ],
)
def test_a_passphrase_of_the_users_own_stays(layout: Layout, variables) -> None:
    seen_variables = run_wrapper(layout, **variables)
    assert variables.items() <= seen_variables.items()
    assert seen_variables.get("PULUMI_CONFIG_PASSPHRASE_FILE") != str(layout.passphrase)


def test_a_home_of_the_users_own_stays(layout: Layout) -> None:
    assert run_wrapper(layout, PULUMI_HOME="/mine")["PULUMI_HOME"] == "/mine"


def test_plugins_that_cannot_be_had_are_not_tried_for_again(layout: Layout) -> None:
    name = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"
    assert name not in run_wrapper(layout, acquire_plugins=True)
    assert run_wrapper(layout, acquire_plugins=False)[name] == "true"
    assert run_wrapper(layout, acquire_plugins=False, **{name: "false"})[name] == "false"


def test_a_launcher_survives_spaces_and_quotes_in_the_path(layout: Layout) -> None:
    python = layout.virtualenv / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    script = layout.toolchain / "launcher"
    script.write_text(render_module_launcher(layout, "pulumi_offline.plugins.command"))
    result = subprocess.run(["sh", script, "a b"], capture_output=True, text=True, check=True)
    launch = str(layout.root / PACKAGE / "launch.py")
    assert result.stdout.splitlines() == ["-P", launch, "pulumi_offline.plugins.command", "a b"]


def test_old_copies_of_the_clones_own_state_go_and_a_users_stay(layout: Layout) -> None:
    folder = layout.state / ".pulumi" / "history" / "sparkform" / "home"
    stack = layout.state / ".pulumi" / "stacks" / "sparkform" / "home.json"
    folder.mkdir(parents=True)
    stack.parent.mkdir(parents=True)
    stack.write_text("{}")
    for second in range(KEPT_FILES + 5):
        file = folder / f"home-{second}.history.json"
        file.write_text("")
        os.utime(file, (second, second))
    run_wrapper(layout, PULUMI_BACKEND_URL=f"file://{layout.state}")
    assert len(list(folder.iterdir())) == KEPT_FILES + 5
    run_wrapper(layout)
    left = {file.name for file in folder.iterdir()}
    assert left == {f"home-{second}.history.json" for second in range(5, KEPT_FILES + 5)}
    assert stack.exists()
