"""The API key of a service: asked for, in no place but the engine's, and changed by one `up`."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rack.conftest import RackFactory
from tests.rack.test_secrets import raw, set_secret
from tests.support import tiny_engine
from tests.support.deployment import Deployment
from tests.support.rack import RackHandle
from tests.support.secret_scan import (
    Needles,
    scan_docker,
    scan_files,
    scan_folder,
    scan_journal,
    watch_processes,
)

pytestmark = pytest.mark.rack

HOST = "spark-1"
KEY, CANARY = "apiKey", "canary"
OURS = "/var/lib/sparkform/services/qwen/secrets/api-key"
DOCKERS = "/var/lib/docker/containers/"
"""Where dockerd mounts a Swarm secret, in memory, for the task that may read it."""

PLANT = """
read word
logger "$word"
sudo docker rm --force planted > /dev/null 2>&1
sudo docker create --label "word=$word" --name planted {image} /bin/true
sh -c "sleep 2; : $word"
echo "$word" | sudo tee /etc/planted > /dev/null
"""


@dataclass(frozen=True)
class Evidence:
    """What was found where, and of the node's files the paths."""

    places: dict[str, set[str]]
    files: dict[str, set[str]]


@dataclass(frozen=True)
class Keyed:
    """A service with a key, up."""

    rack: RackHandle
    deployment: Deployment
    key: str
    evidence: Evidence

    def asked_with(self, key: str) -> str:
        """The status of an answer."""
        script = (
            "read key; curl -s -o /dev/null -w '%{http_code}' -H \"Authorization: Bearer $key\" "
        )
        return self.rack.must(HOST, f"{script} http://127.0.0.1:8000/v1/models", key)


@pytest.fixture(scope="module", params=["container", "swarm"])
def keyed(
    request: pytest.FixtureRequest, rack: RackFactory, tmp_path_factory: pytest.TempPathFactory
) -> Keyed:
    machines = rack(nodes=1, fabric="none")
    tiny_engine.install(machines)
    folder = tmp_path_factory.mktemp("keyed")
    deployment = Deployment.on(machines, folder)
    deployment.cluster["nodes"][0]["memoryGib"] = 119
    deployment.services = {"qwen": tiny_engine.build_service(request.param)}
    texts = {name: f"{name}{secrets.token_hex(20)}" for name in (KEY, CANARY)}
    set_secret(deployment, KEY, texts[KEY])
    since = time.time()
    with watch_processes() as watch:
        said = [raw(deployment, "up", "--yes", "--skip-preview")]
        machines.must(HOST, PLANT.format(image=tiny_engine.IMAGE), texts[CANARY])
        said += [raw(deployment, "preview"), raw(deployment, "up", "--yes", "--skip-preview")]
    said += [raw(deployment, "stack", "output", "--json"), texts[CANARY]]
    needles = Needles(texts)
    places = {
        "what pulumi says": needles.find_in("".join(said).encode()),
        "state": scan_folder(folder / "state", needles),
        "command lines": needles.find_in(b"\n".join(watch.arguments)),
        "journal": scan_journal(machines, HOST, needles),
        "docker": scan_docker(machines, HOST, needles),
    }
    return Keyed(
        machines,
        deployment,
        texts[KEY],
        Evidence(places, scan_files(machines, HOST, since, needles)),
    )


def test_the_service_asks_for_its_key(keyed: Keyed) -> None:
    assert (keyed.asked_with(keyed.key), keyed.asked_with("another")) == ("200", "401")


def test_the_key_is_in_no_words_no_state_no_command_and_not_shown_by_docker(keyed: Keyed) -> None:
    found = keyed.evidence.places
    # Pulumi keeps secrets encrypted, and the canary was never given to it.
    assert found.pop("state") == set()
    assert found == {place: {CANARY} for place in found}


def test_the_key_is_in_roots_own_file_and_where_docker_hands_it_over(keyed: Keyed) -> None:
    assert "/etc/planted" in keyed.evidence.files[CANARY]
    holders = keyed.evidence.files[KEY]
    assert OURS in holders
    assert {path for path in holders if not path.startswith((OURS, DOCKERS))} == set()
    mode = keyed.rack.must(HOST, f"sudo stat -c '%a %U' {OURS} {Path(OURS).parent}").split("\n")
    assert mode[:2] == ["400 root", "700 root"]


def test_another_key_is_one_up_that_says_why(keyed: Keyed) -> None:
    other = f"{KEY}{secrets.token_hex(20)}"
    set_secret(keyed.deployment, KEY, other)
    done = keyed.deployment.up()
    assert "service qwen: apiKey differs, will be started anew with it" in done.messages
    assert (keyed.asked_with(other), keyed.asked_with(keyed.key)) == ("200", "401")
    assert keyed.deployment.up().changed == set()
    keyed.deployment.destroy()
