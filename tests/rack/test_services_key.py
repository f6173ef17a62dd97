"""The API key of a service: asked for, in no place but the engine's, and changed by one `up`."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rack.conftest import RackFactory
from tests.rack.test_secrets import run_raw
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
KEY_FILE = "/var/lib/sparkform/services/qwen/secrets/api-key"
SECRET_MOUNTS = "/var/lib/docker/containers/"
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
class KeyEvidence:
    """What was found where, and of the node's files the paths."""

    findings: dict[str, set[str]]
    files: dict[str, set[str]]


@dataclass(frozen=True)
class KeyedService:
    """A service with a key, up."""

    rack: RackHandle
    deployment: Deployment
    key: str
    evidence: KeyEvidence

    def request_with(self, key: str) -> str:
        """The status of an answer."""
        script = (
            "read key; curl -s -o /dev/null -w '%{http_code}' -H \"Authorization: Bearer $key\" "
        )
        return self.rack.must(HOST, f"{script} http://127.0.0.1:8000/v1/models", key)


@pytest.fixture(scope="module", params=["container", "swarm"])
def service(
    request: pytest.FixtureRequest, rack: RackFactory, tmp_path_factory: pytest.TempPathFactory
) -> KeyedService:
    machines = rack(nodes=1, fabric="none")
    tiny_engine.install(machines)
    folder = tmp_path_factory.mktemp("keyed")
    deployment = Deployment.create(machines, folder)
    deployment.cluster["nodes"][0]["memoryGib"] = 119
    deployment.services = {"qwen": tiny_engine.build_service(request.param)}
    texts = {name: f"{name}{secrets.token_hex(20)}" for name in (KEY, CANARY)}
    deployment.set_secret(KEY, texts[KEY])
    since = time.time()
    with watch_processes() as watch:
        outputs = [run_raw(deployment, "up", "--yes", "--skip-preview")]
        machines.must(HOST, PLANT.format(image=tiny_engine.IMAGE), texts[CANARY])
        outputs += [
            run_raw(deployment, "preview"),
            run_raw(deployment, "up", "--yes", "--skip-preview"),
        ]
    outputs += [run_raw(deployment, "stack", "output", "--json"), texts[CANARY]]
    needles = Needles(texts)
    findings = {
        "what pulumi says": needles.find_in("".join(outputs).encode()),
        "state": scan_folder(folder / "state", needles),
        "command lines": needles.find_in(b"\n".join(watch.arguments)),
        "journal": scan_journal(machines, HOST, needles),
        "docker": scan_docker(machines, HOST, needles),
    }
    return KeyedService(
        machines,
        deployment,
        texts[KEY],
        KeyEvidence(findings, scan_files(machines, HOST, since, needles)),
    )


def test_the_service_asks_for_its_key(service: KeyedService) -> None:
    assert (service.request_with(service.key), service.request_with("another")) == ("200", "401")


def test_the_key_is_in_no_words_no_state_no_command_and_not_shown_by_docker(
    service: KeyedService,
) -> None:
    findings = service.evidence.findings
    # Pulumi keeps secrets encrypted, and the canary was never given to it.
    assert findings.pop("state") == set()
    assert findings == {place: {CANARY} for place in findings}


def test_the_key_is_in_roots_own_file_and_where_docker_hands_it_over(service: KeyedService) -> None:
    assert "/etc/planted" in service.evidence.files[CANARY]
    holders = service.evidence.files[KEY]
    assert KEY_FILE in holders
    assert {path for path in holders if not path.startswith((KEY_FILE, SECRET_MOUNTS))} == set()
    mode = service.rack.must(
        HOST, f"sudo stat -c '%a %U' {KEY_FILE} {Path(KEY_FILE).parent}"
    ).split("\n")
    assert mode[:2] == ["400 root", "700 root"]


def test_another_key_is_one_up_that_says_why(service: KeyedService) -> None:
    new_key = f"{KEY}{secrets.token_hex(20)}"
    service.deployment.set_secret(KEY, new_key)
    outcome = service.deployment.preview_and_up()
    assert "service qwen: apiKey differs, will be restarted with it" in outcome.messages
    assert (service.request_with(new_key), service.request_with(service.key)) == ("200", "401")
    assert service.deployment.up().changed == set()
    service.deployment.destroy()
