"""Secrets are nowhere but where they are meant to be, and a scan that would see them says so.

Each place is scanned once, for all secrets and for a canary that was planted there: a place that is
clean holds the canary and nothing else.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rack.conftest import RackFactory
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

KEYS = ("hfToken", "apiKey", "registryPassword", "sshKeyPassphrase")
CANARY = "canary"
# The receipt of the step that put the label back: what it found is part of its document.
PLANTED_FILES = {"/var/lib/sparkform/receipts/swarm_labels.json"}


@dataclass(frozen=True)
class SecretEvidence:
    """What was found where; of a node's files, the paths."""

    findings: dict[str, set[str]]
    files: dict[str, dict[str, set[str]]]
    known: frozenset[str]


@pytest.fixture(scope="module")
def machines(rack: RackFactory) -> RackHandle:
    return rack(nodes=2, fabric="direct")


@pytest.fixture(scope="module")
def evidence(machines: RackHandle, tmp_path_factory: pytest.TempPathFactory) -> SecretEvidence:
    folder = tmp_path_factory.mktemp("deployment")
    since = time.time()
    texts = {key: f"{key}{secrets.token_hex(20)}" for key in KEYS}
    texts[CANARY] = f"canary{secrets.token_hex(20)}"
    deployment = Deployment.create(machines, folder)
    deployment.cluster["swarm"] = {"enabled": True}
    deployment.cluster["identityFile"] = str(
        lock_key(deployment, tmp_path_factory.mktemp("key"), texts["sshKeyPassphrase"])
    )
    for key in KEYS:
        deployment.set_secret(key, texts[key])

    with watch_processes() as watch:
        outputs = [run_raw(deployment, "up", "--yes", "--skip-preview")]
        plant_canary(machines, texts[CANARY])
        outputs += [
            run_raw(deployment, "preview"),
            run_raw(deployment, "up", "--yes", "--skip-preview"),
        ]
    outputs += [
        run_raw(deployment, "stack", "output", "--json"),
        run_raw(deployment, "stack", "export"),
    ]

    texts["join token"] = machines.must("spark-1", "sudo docker swarm join-token -q worker").strip()
    texts["private key"] = Path(deployment.cluster["identityFile"]).read_text().splitlines()[2]
    needles = Needles(texts)
    findings = {
        "what pulumi says": needles.find_in("".join(outputs).encode()),
        "state": scan_folder(folder / "state", needles),
        "command lines": needles.find_in(b"\n".join(watch.arguments)),
        "environments on nodes": needles.find_in(b"\n".join(watch.environments)),
        "journal": scan_journal(machines, "spark-1", needles),
        "docker": scan_docker(machines, "spark-1", needles),
        "journal of spark-2": scan_journal(machines, "spark-2", needles),
        "docker of spark-2": scan_docker(machines, "spark-2", needles),
    }
    files = {host: scan_files(machines, host, since, needles) for host in machines.hosts}
    return SecretEvidence(findings, files, frozenset(texts))


def lock_key(deployment: Deployment, folder: Path, passphrase: str) -> Path:
    """The rack's login key behind a passphrase, so that this one is really used."""
    path = folder / "identity"
    shutil.copy(deployment.cluster["identityFile"], path)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", passphrase, "-f", path], check=True)
    return path


def run_raw(deployment: Deployment, *arguments: str) -> str:
    """All that a run prints. Everything but `stack` takes the stack file and tells its events."""
    deployment.write_stack_file()
    events = ("--config-file", str(deployment.stack_file), "--json")
    options = () if arguments[0] == "stack" else events
    result = deployment.run_pulumi(*arguments, "--stack", deployment.stack, *options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def plant_canary(machines: RackHandle, canary: str) -> None:
    """In each place. It comes on stdin, so that no command line holds it but the one that shall."""
    label = 'read word; sudo docker node update --label-add "sparkform.node=$word" spark-2'
    machines.must("spark-1", label, canary)
    for host in machines.hosts:
        machines.must(host, "logger", canary)
        machines.must(host, "tar -cf - -T /dev/null | sudo docker import - empty:1")
        create = 'read word; sudo docker create --label "word=$word" --name planted empty:1 x'
        machines.must(host, create, canary)
    # Long enough to be seen by whoever looks again and again on a busy machine.
    machines.must("spark-2", "read WORD; export WORD; exec sh -c 'sleep 5; :' $WORD", canary)


def test_no_secret_is_in_what_pulumi_says_and_keeps(evidence: SecretEvidence) -> None:
    assert evidence.findings["what pulumi says"] == {CANARY}
    assert evidence.findings["state"] == {CANARY}


def test_no_secret_is_on_a_command_line_or_in_an_environment_on_a_node(
    evidence: SecretEvidence,
) -> None:
    assert evidence.findings["command lines"] == {CANARY}
    assert evidence.findings["environments on nodes"] == {CANARY}


@pytest.mark.parametrize("suffix", ["", " of spark-2"])
def test_no_secret_is_in_a_journal_or_shown_by_docker(
    evidence: SecretEvidence, suffix: str
) -> None:
    assert evidence.findings[f"journal{suffix}"] == {CANARY}
    assert evidence.findings[f"docker{suffix}"] == {CANARY}


def test_no_secret_is_in_a_file_of_a_node(evidence: SecretEvidence) -> None:
    assert evidence.files["spark-1"].pop(CANARY) >= PLANTED_FILES
    assert evidence.files["spark-2"].pop(CANARY)
    assert evidence.files == {"spark-1": {}, "spark-2": {}}


def test_every_secret_was_looked_for(evidence: SecretEvidence) -> None:
    assert evidence.known == {*KEYS, CANARY, "join token", "private key"}
