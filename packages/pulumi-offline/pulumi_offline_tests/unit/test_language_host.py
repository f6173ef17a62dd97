from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_offline.language_host.environment import activate
from pulumi_offline.language_host.options import RefusedError, parse_options
from pulumi_offline.language_host.packages import (
    Package,
    RequiredPlugin,
    find_plugin,
    list_installed,
    list_required_plugins,
    list_top_level,
)
from pulumi_offline.language_host.policy_proxy import Configuration, build_policy_variables
from pulumi_offline.language_host.program import (
    HostSettings,
    build_program_arguments,
    build_program_variables,
    build_run_response,
)
from pulumi_offline.language_host.protocol import language_pb2

ROOT = Path("/project")


@pytest.mark.parametrize(
    ("options", "virtualenv"),
    [
        ({}, None),
        ({"virtualenv": ""}, None),
        ({"virtualenv": "venv"}, Path("/project/venv")),
        ({"virtualenv": "/else/venv", "toolchain": "pip"}, Path("/else/venv")),
    ],
)
def test_the_virtual_environment_is_relative_to_the_project(options, virtualenv) -> None:
    assert parse_options(ROOT, options).virtualenv == virtualenv


@pytest.mark.parametrize(
    ("options", "mention"),
    [
        ({"virtualenv": 5.0}, "virtualenv option must be a string"),
        ({"toolchain": "uv"}, "toolchain option must be pip"),
        ({"typechecker": "mypy"}, "typechecker option is not supported"),
    ],
)
def test_an_option_is_never_ignored_in_silence(options, mention) -> None:
    with pytest.raises(RefusedError, match=mention):
        parse_options(ROOT, options)


def test_activation_puts_the_environment_first_and_drops_pythonhome() -> None:
    before = {"PATH": "/bin", "PYTHONHOME": "/x", "VIRTUAL_ENV": "/old", "LANG": "C"}
    assert activate(before, Path("/v")) == {
        "PATH": "/v/bin:/bin",
        "VIRTUAL_ENV": "/v",
        "LANG": "C",
    }
    assert activate({}, Path("/v"))["PATH"] == "/v/bin", "an empty part would mean the folder"


def run_request(**fields: Any) -> language_pb2.RunRequest:
    info = language_pb2.ProgramInfo(root_directory="/project", entry_point=".")
    return language_pb2.RunRequest(info=info, project="rack", stack="dev", **fields)


def test_the_executor_is_told_all_but_what_is_empty() -> None:
    request = run_request(monitor_address="m:1", parallel=7, dryRun=True, args=["one"])
    assert build_program_arguments(request, HostSettings("/exec", "e:2", "")) == [
        "/exec",
        *["--monitor", "m:1", "--engine", "e:2", "--project", "rack"],
        *["--root_directory", "/project", "--stack", "dev", "--dry_run", "true"],
        *["--parallel", "7", ".", "one"],
    ]


def test_no_config_value_is_on_the_command_line() -> None:
    request = run_request(config={"rack:token": "hush"}, configSecretKeys=["rack:token"])
    assert "hush" not in str(build_program_arguments(request, HostSettings("/exec", "e:2", "")))
    variables = build_program_variables(request.config, request.configSecretKeys)
    assert json.loads(variables["PULUMI_CONFIG"]) == {"rack:token": "hush"}
    assert json.loads(variables["PULUMI_CONFIG_SECRET_KEYS"]) == ["rack:token"]


@pytest.mark.parametrize(
    ("code", "interrupted", "error", "bail"),
    [
        (0, False, "", False),
        (1, False, "program exited with non-zero exit code: 1", False),
        (32, False, "", True),
        (-9, False, "program killed by signal 9", False),
        (-2, True, "", True),
        (1, True, "", True),
    ],
)
def test_the_end_of_a_program_is_told_as_the_engine_wants_it(
    code, interrupted, error, bail
) -> None:
    response = build_run_response(code, interrupted=interrupted)
    assert (response.error, response.bail) == (error, bail)


def test_a_policy_pack_gets_its_stack_by_variables() -> None:
    variables = Configuration(
        stack="dev", project="rack", organization="org", config={"rack:a": "1"}
    )
    assert build_policy_variables(variables) == {
        "PULUMI_ORGANIZATION": "org",
        "PULUMI_PROJECT": "rack",
        "PULUMI_STACK": "dev",
        "PULUMI_DRY_RUN": "false",
        "PULUMI_CONFIG": '{"rack:a": "1"}',
    }
    assert build_policy_variables(None) == {}


@pytest.mark.parametrize(
    ("package", "statement", "plugin"),
    [
        ("pulumi-command", None, RequiredPlugin("command", "v1.2.1", "")),
        ("pulumi-x", {"resource": True, "name": "y", "version": "v2.0.0"}, ("y", "v2.0.0", "")),
        ("acme", {"resource": True, "server": "s"}, RequiredPlugin("acme", "v1.2.1", "s")),
        ("pulumi-x", {"resource": False}, None),
    ],
)
def test_a_package_says_which_plugin_it_needs(package, statement, plugin) -> None:
    expected = RequiredPlugin(*plugin) if isinstance(plugin, tuple) else plugin
    assert find_plugin(package, "1.2.1", statement) == expected


def test_a_parameterized_package_is_refused_by_name() -> None:
    with pytest.raises(RefusedError, match="package acme is parameterized"):
        find_plugin("acme", "1.0", {"resource": True, "parameterization": {}})


def plant(site: Path, name: str, version: str, *requires: str) -> None:
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    needs = "".join(f"Requires-Dist: {text}\n" for text in requires)
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
    )


def test_the_plugins_of_installed_packages_are_found(tmp_path: Path) -> None:
    plant(tmp_path, "pulumi_policy", "1.21.0")
    plant(tmp_path, "pulumi_command", "1.2.1")
    plant(tmp_path, "other", "1.0")
    plant(tmp_path, "acme", "3.0")
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "pulumi-plugin.json").write_text('{"resource": true, "name": "acme"}')
    assert list_required_plugins([str(tmp_path)]) == [
        RequiredPlugin("acme", "v3.0", ""),
        RequiredPlugin("command", "v1.2.1", ""),
    ]


def test_top_level_packages_are_those_that_no_other_needs(tmp_path: Path) -> None:
    plant(tmp_path, "pulumi", "3.259.0", "grpcio<2,>=1.60", 'debugpy; extra == "debug"')
    plant(tmp_path, "grpcio", "1.85.1")
    plant(tmp_path, "debugpy", "1.8")
    packages = list_installed([str(tmp_path)])
    assert packages[-1] == Package("pulumi", "3.259.0", frozenset({"grpcio"}))
    assert [package.name for package in list_top_level(packages)] == ["debugpy", "pulumi"]
