"""The deciding parts of the docker stand-in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pulumi_offline.plugins.docker.container_body import build_mount
from pulumi_offline.plugins.docker.container_state import build_mount_state
from pulumi_offline.plugins.docker.documents import Document, get_document
from pulumi_offline.plugins.docker.durations import (
    format_duration,
    format_short_duration,
    parse_duration,
)
from pulumi_offline.plugins.docker.image import list_pull_errors
from pulumi_offline.plugins.docker.resource_types import RESOURCES
from pulumi_offline.plugins.docker.schema import render_schema
from pulumi_offline.plugins.docker.service_body import add_tag, pin_digest
from pulumi_offline.plugins.docker.settings import build_ssh_command, parse_settings
from pulumi_offline.plugins.docker.state_plan import plan_state


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("10m", 600 * 10**9),
        ("1h30m5s", 5405 * 10**9),
        ("1.5s", 1_500_000_000),
        (".5s", 500_000_000),
        ("1.s", 10**9),
        ("250ms", 250_000_000),
        ("3us", 3000),
        ("-2s", -2 * 10**9),
        ("+2s", 2 * 10**9),
        ("5", None),
        ("5 min", None),
        ("", None),
        ("s", None),
        ("1s2", None),
    ],
)
def test_durations_are_read_as_go_reads_them(text: str, nanoseconds: int | None) -> None:
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    ("nanoseconds", "long", "short"),
    [
        (0, "0s", "0s"),
        (10 * 10**9, "10s", "10s"),
        (90 * 10**9, "1m30s", "1m30s"),
        (600 * 10**9, "10m0s", "10m"),
        (3600 * 10**9, "1h0m0s", "1h"),
        (3605 * 10**9, "1h0m5s", "1h0m5s"),
        (3900 * 10**9, "1h5m0s", "1h5m"),
        (1_500_000_000, "1.5s", "1.5s"),
        (250_000_000, "250ms", "250ms"),
        (1_500, "1.5µs", "1.5µs"),
        (7, "7ns", "7ns"),
        (-(10**9), "-1s", "-1s"),
    ],
)
def test_durations_are_written_as_go_and_docker_write_them(
    nanoseconds: int, long: str, short: str
) -> None:
    assert (format_duration(nanoseconds), format_short_duration(nanoseconds)) == (long, short)
    assert parse_duration(long) == parse_duration(short) == nanoseconds


def test_ssh_is_called_as_dockers_own_client_calls_it() -> None:
    assert build_ssh_command("ssh://me@spark-1:2222", ["-o", "IdentitiesOnly=yes"]) == (
        *("ssh", "-l", "me", "-p", "2222", "-o", "IdentitiesOnly=yes"),
        *("-o ConnectTimeout=30", "-T", "--", "spark-1", "docker system dial-stdio"),
    )


def test_ssh_options_of_the_user_win() -> None:
    options = ["-T", "-o", "ConnectTimeout=5"]
    assert build_ssh_command("ssh://spark-1", options) == (
        *("ssh", *options, "--", "spark-1", "docker system dial-stdio"),
    )


def test_a_socket_in_the_url_reaches_the_far_shell_quoted() -> None:
    remote = build_ssh_command("ssh://spark-1/run/my docker.sock", [])[-1]
    assert remote == "docker '--host=unix:///run/my docker.sock' system dial-stdio"


def test_settings_are_read_from_json_texts() -> None:
    settings = parse_settings({"host": "ssh://spark-1", "sshOpts": json.dumps(["-v"])})
    assert "-v" in settings.ssh


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("vllm", "vllm:latest"),
        ("r.example:5000/vllm", "r.example:5000/vllm:latest"),
        ("vllm:1", "vllm:1"),
        ("vllm@sha256:0", "vllm@sha256:0"),
        ("a" * 64, "a" * 64),
    ],
)
def test_an_image_of_a_service_always_has_a_tag(image: str, expected: str) -> None:
    assert add_tag(image) == expected


def build_template(image: str) -> Document:
    return {"ContainerSpec": {"Image": image}, "Placement": {"Constraints": ["a"], "Platforms": []}}


def test_what_a_registry_knows_of_an_image_is_pinned() -> None:
    distribution: Document = {
        "Descriptor": {"digest": "sha256:1"},
        "Platforms": [
            {"architecture": "arm64", "os": "linux"},
            {"architecture": "arm", "os": "linux"},
        ],
    }
    pinned = pin_digest(build_template("r/x:1"), distribution)
    assert get_document(pinned, "ContainerSpec")["Image"] == "r/x:1@sha256:1"
    assert pinned["Placement"] == {
        "Constraints": ["a"],
        "Platforms": [
            {"Architecture": "arm64", "OS": "linux"},
            {"Architecture": "", "OS": "linux"},
        ],
    }
    already = pin_digest(build_template("r/x@sha256:2"), distribution)
    assert get_document(already, "ContainerSpec")["Image"] == "r/x@sha256:2"


def test_a_pull_that_fails_late_tells_why() -> None:
    output = '{"status": "Pulling"}\nnot json\n{"error": "no space left", "errorDetail": {}}\n'
    assert list(list_pull_errors(output)) == ["no space left"]
    assert list(list_pull_errors('{"status": "done"}')) == []


def test_the_schema_names_each_type_that_it_refers_to() -> None:
    schema = json.loads(render_schema())
    assert set(schema["resources"]) == set(RESOURCES)
    text = json.dumps(schema)
    references = {part.split('"')[0] for part in text.split('"#/types/')[1:]}
    assert references
    assert references == set(schema["types"])
    secret = schema["resources"]["docker:index/secret:Secret"]["inputProperties"]["data"]
    assert secret == {"type": "string", "secret": True}


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=lambda resource: str(resource.token))
def test_a_create_of_nothing_plans_all_that_the_daemon_fills_in(resource: Any) -> None:
    computed = {field.name for field in resource.fields if field.computed}
    assert set(plan_state(resource, {}, None)) == computed | {"id"}


def test_the_propagation_of_a_bind_mount_goes_to_the_engine_and_comes_back() -> None:
    inputs: Document = {
        "type": "bind",
        "source": "/",
        "target": "/host",
        "readOnly": True,
        "bindOptions": {"propagation": "rslave"},
    }
    body = build_mount(inputs)
    assert body["BindOptions"] == {"Propagation": "rslave"}
    assert build_mount_state(body) == inputs
    without = {key: item for key, item in inputs.items() if key != "bindOptions"}
    assert build_mount_state(build_mount(without)) == without
