"""The gateway's files: as they were last looked at, and right in the eyes of HAProxy."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from sparkform.config.gateway import GatewayLimits
from sparkform.gateway.answers import OWN_ERRORS, UNAVAILABLE, build_unknown_model
from sparkform.gateway.files import build_files
from sparkform.gateway.paths import PROGRAMS, ROUTERS, GatewayFolders
from sparkform.gateway.routes import Agent, EngineEndpoint, GatewaySetup, Listen, ModelRoute
from tests.support.gateway_process import HAPROXY

GOLDEN = Path(__file__).parents[2] / "data" / "gateway"
SETUP = GatewaySetup(
    routes=(
        ModelRoute(
            "qwen",
            "Qwen/Qwen3-8B",
            (
                EngineEndpoint("127.0.0.1", 8000, Agent("10.0.0.1", 7678)),
                EngineEndpoint("10.0.0.2", 8000, Agent("10.0.0.2", 7678)),
            ),
        ),
        ModelRoute("embed", "BAAI/bge-m3", (EngineEndpoint("fd00::3", 8001),)),
    ),
    listen=Listen("0.0.0.0", 8443),
    metrics=Listen("10.0.0.1", 9101),
    is_tls=True,
    has_engine_key=True,
    limits=GatewayLimits(),
    aliases={"best": "qwen"},
    readers=("10.0.0.1",),
)
MOST_SOCKET_BYTES = 97
"""What HAProxy allows of a path, so that it can bind beside it and rename (its own message)."""

NEEDS_HAPROXY = pytest.mark.skipif(
    not Path(HAPROXY).exists(), reason="haproxy (Debian: haproxy) is not installed"
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_configuration_is_as_it_was_last_looked_at(program: str) -> None:
    """`python -m tests.unit.gateway.test_files` writes them anew."""
    assert build_files(SETUP)[f"{program}.cfg"] == (GOLDEN / f"{program}.cfg").read_text()


def test_no_file_holds_what_is_not_declared() -> None:
    plain = build_files(replace(SETUP, is_tls=False, has_engine_key=False, routes=SETUP.routes[:1]))
    assert "ssl crt" not in plain["edge.cfg"]
    for router in ROUTERS:
        assert "Authorization" not in plain[f"{router}.cfg"]
        assert "embed" not in plain[f"{router}.cfg"] + plain["models.map"]


def test_every_name_leads_to_its_route_and_aliases_to_the_engines_name() -> None:
    files = build_files(SETUP)
    assert files["models.map"] == "Qwen/Qwen3-8B qwen\nBAAI/bge-m3 embed\nbest qwen\n"
    assert files["aliases.map"] == "best Qwen/Qwen3-8B\n"
    listed = [model["id"] for model in json.loads(files["answers/models.json"])["data"]]
    assert listed == ["Qwen/Qwen3-8B", "BAAI/bge-m3", "best"]


def test_own_errors_are_whole_messages_in_openais_form() -> None:
    for answer in OWN_ERRORS.values():
        head, _, body = answer.render().partition("\r\n\r\n")
        assert f"Content-Length: {len(body)}" in head.split("\r\n")
        assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}
    assert OWN_ERRORS[502] == UNAVAILABLE
    assert "Retry-After: 10" in UNAVAILABLE.render()
    assert build_unknown_model(()).message.endswith("Served are: none.")


def check(folder: Path, setup: GatewaySetup, program: str) -> subprocess.CompletedProcess[str]:
    (folder / "secrets").mkdir(exist_ok=True)
    for name in ("keys.map", "engine.map"):
        (folder / "secrets" / name).touch()
    folders = GatewayFolders(str(folder), user=None)
    for path, text in build_files(replace(setup, is_tls=False), folders).items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, newline="")
    command = [HAPROXY, "-c", "-f", str(folder / f"{program}.cfg")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@NEEDS_HAPROXY
@pytest.mark.parametrize("program", PROGRAMS)
def test_haproxy_takes_a_configuration_without_a_warning(program: str, tmp_path: Path) -> None:
    result = check(tmp_path, SETUP, program)
    assert (result.returncode, "WARNING" in result.stderr) == (0, False), result.stderr


def test_the_longest_service_name_leaves_a_socket_within_haproxys_limit() -> None:
    route = replace(SETUP.routes[0], name="s" * 40)
    files = build_files(replace(SETUP, routes=(route,), aliases={}))
    sockets = re.findall(r"unix@(\S+)", "".join(files.values()))
    assert sockets
    assert max(map(len, sockets)) <= MOST_SOCKET_BYTES


@NEEDS_HAPROXY
def test_haproxy_refuses_a_planted_flaw(tmp_path: Path) -> None:
    broken = replace(SETUP, listen=Listen("no address", 8443))
    assert check(tmp_path, broken, "edge").returncode != 0


if __name__ == "__main__":
    for name in PROGRAMS:
        (GOLDEN / f"{name}.cfg").write_text(build_files(SETUP)[f"{name}.cfg"])
