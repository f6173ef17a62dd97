from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pulumi_offline.launchers import render_module_launcher, render_pulumi_wrapper
from pulumi_offline.layout import PACKAGE, Layout

OURS = {"PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE"}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A clone in a folder with a space and a quote, whose pulumi prints its environment."""
    result = Layout(tmp_path / "a user's clone")
    result.cli.mkdir(parents=True)
    (result.cli / "pulumi").write_text('#!/bin/sh\nenv\necho "arguments=$*"\n')
    (result.cli / "pulumi").chmod(0o755)
    return result


def told(layout: Layout, *, acquire_plugins: bool = True, **variables: str) -> dict[str, str]:
    script = layout.made / "wrapper"
    script.write_text(render_pulumi_wrapper(layout, acquire_plugins=acquire_plugins))
    completed = subprocess.run(
        ["sh", script, "up", "--yes"],
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = (line.split("=", 1) for line in completed.stdout.splitlines())
    return {pair[0]: pair[1] for pair in lines if len(pair) == 2}


def test_the_wrapper_fills_in_home_backend_and_passphrase(layout: Layout) -> None:
    previous = told(layout)
    assert previous["PULUMI_HOME"] == str(layout.home)
    assert previous["PULUMI_BACKEND_URL"] == f"file://{layout.state}"
    assert previous["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(layout.passphrase)
    assert previous["PULUMI_SKIP_UPDATE_CHECK"] == "true"
    assert previous["arguments"] == "up --yes"


@pytest.mark.parametrize(
    "variables",
    [{"PULUMI_BACKEND_URL": "s3://mine"}, {"PULUMI_ACCESS_TOKEN": "token"}],
)
def test_a_backend_of_the_users_own_never_sees_our_passphrase(layout: Layout, variables) -> None:
    previous = told(layout, **variables)
    assert {name: previous[name] for name in OURS & set(previous)} == {
        name: value for name, value in variables.items() if name in OURS
    }


def test_a_user_who_has_logged_in_keeps_that_backend(layout: Layout) -> None:
    layout.home.mkdir()
    credentials = layout.home / "credentials.json"
    credentials.write_text('{"current": "gs://mine"}')
    assert not OURS & set(told(layout))
    credentials.write_text('{"current": ""}')
    assert set(told(layout)) >= OURS, "who has logged out again has not chosen"


def test_a_backend_in_the_project_file_wins(layout: Layout) -> None:
    (layout.root / "Pulumi.yaml").write_text("name: x\nbackend:\n  url: s3://mine\n")
    assert not OURS & set(told(layout))


@pytest.mark.parametrize(
    "variables",
    [
        {"PULUMI_CONFIG_PASSPHRASE": "mine"},
        {"PULUMI_CONFIG_PASSPHRASE": ""},
        {"PULUMI_CONFIG_PASSPHRASE_FILE": "/mine"},
    ],
)
def test_a_passphrase_of_the_users_own_stays(layout: Layout, variables) -> None:
    previous = told(layout, **variables)
    assert variables.items() <= previous.items()
    assert previous.get("PULUMI_CONFIG_PASSPHRASE_FILE") != str(layout.passphrase)


def test_a_home_of_the_users_own_stays(layout: Layout) -> None:
    assert told(layout, PULUMI_HOME="/mine")["PULUMI_HOME"] == "/mine"


def test_plugins_that_cannot_be_had_are_not_tried_for_again(layout: Layout) -> None:
    name = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"
    assert name not in told(layout, acquire_plugins=True)
    assert told(layout, acquire_plugins=False)[name] == "true"
    assert told(layout, acquire_plugins=False, **{name: "false"})[name] == "false"


def test_a_launcher_survives_spaces_and_quotes_in_the_path(layout: Layout) -> None:
    python = layout.virtualenv / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    script = layout.made / "launcher"
    script.write_text(render_module_launcher(layout, "pulumi_offline.plugins.command"))
    completed = subprocess.run(["sh", script, "a b"], capture_output=True, text=True, check=True)
    launch = str(layout.root / PACKAGE / "launch.py")
    assert completed.stdout.splitlines() == ["-P", launch, "pulumi_offline.plugins.command", "a b"]
