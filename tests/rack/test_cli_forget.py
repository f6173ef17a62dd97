"""A node that is lost for good: forgotten, then `up` without it, and given back when it returns."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.rack.command_line import ROOT, Bench, bench
from tests.rack.conftest import RackFactory

pytestmark = pytest.mark.rack

PULUMI = ROOT / ".toolchain" / "bin" / "pulumi"
DOCKER = "docker info >/dev/null 2>&1"
UNDO = "sudo python3 /usr/local/lib/sparkform/node.pyz undo --all"


@pytest.fixture
def lab(rack: RackFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Two nodes in a Swarm, brought up by Pulumi from a project folder of their own."""
    assert PULUMI.exists(), f"{PULUMI} is missing: run `make setup` first"
    (tmp_path / "state").mkdir()
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path / 'state'}")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "only for this test")
    monkeypatch.setenv("PATH", f"{PULUMI.parent}:{os.environ['PATH']}")
    found = bench(rack(2, "direct"), tmp_path)
    assert found.init().code == 0
    options = {"virtualenv": str(ROOT / ".venv")}
    project = {"name": "sparkform", "main": str(ROOT)}
    project["runtime"] = {"name": "python", "options": options}  # type: ignore[assignment]
    (tmp_path / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    change(found, lambda cluster: cluster.update(swarm={"enabled": True}))
    pulumi(found, "stack", "init", "lab")
    pulumi(found, "up", "--yes", "--skip-preview", "--stack", "lab")
    return found


def change(found: Bench, edit: object) -> None:
    tree = yaml.safe_load(found.stack.read_text())
    edit(tree["config"]["sparkform:cluster"])  # type: ignore[operator]
    found.stack.write_text(yaml.safe_dump(tree))


def pulumi(found: Bench, *words: str) -> str:
    done = subprocess.run(
        [PULUMI, *words],
        cwd=found.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def resources(found: Bench) -> list[str]:
    export = json.loads(pulumi(found, "stack", "export", "--stack", "lab"))
    return [one["urn"].rpartition("::")[2] for one in export["deployment"]["resources"]]


def alone(cluster: dict[str, object]) -> None:
    nodes = cluster["nodes"]
    assert isinstance(nodes, list)
    cluster.update(nodes=nodes[:1], fabric={"topology": "none"})


def test_a_lost_node_is_forgotten_and_given_back_when_it_returns(lab: Bench) -> None:
    ran, checks = lab.checks()
    assert [one for one in checks if one["status"] == "fail"] == []
    print(f"\ndoctor on 2 nodes that are up, in Swarm: {ran.took_s:.2f} s, {len(checks)} rows")
    assert lab.run("forget", lab.stack, "spark-2", "--yes").code == 2

    lab.rack.break_("off", "spark-2")
    try:
        ran = lab.run("forget", lab.stack, "spark-2", "--yes")
        assert ran.code == 0, ran.err
        assert not [name for name in resources(lab) if name.startswith("spark-2")]
        change(lab, alone)
        pulumi(lab, "up", "--yes", "--skip-preview", "--stack", "lab")
        assert "unchanged" in pulumi(lab, "up", "--yes", "--skip-preview", "--stack", "lab")
        assert len(lab.rack.must("spark-1", "docker node ls -q").split()) == 1
    finally:
        lab.rack.mend("off", "spark-2")

    # It can leave its Swarm only once dockerd is up.
    lab.rack.must("spark-2", f"timeout 60 sh -c 'until {DOCKER}; do sleep 1; done'; {UNDO}")
    assert lab.rack.ask("spark-2", "test -e /var/lib/sparkform").returncode == 1
    swarm = lab.rack.must("spark-2", "docker info --format '{{.Swarm.LocalNodeState}}'")
    assert swarm.strip() == "inactive"
    pulumi(lab, "destroy", "--yes", "--skip-preview", "--stack", "lab")
