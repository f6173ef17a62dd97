"""A node that is lost for good: forgotten, then `up` without it, and given back when it returns."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.rack.command_line import ROOT, RackProject, create_project
from tests.rack.conftest import RackFactory

pytestmark = pytest.mark.rack

PULUMI = ROOT / ".toolchain" / "bin" / "pulumi"
DOCKER = "docker info >/dev/null 2>&1"
UNDO = "sudo python3 /usr/local/lib/sparkform/node.pyz undo --all"


@pytest.fixture
def project(rack: RackFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RackProject:
    """Two nodes in a Swarm, brought up by Pulumi from a project folder of their own."""
    assert PULUMI.exists(), f"{PULUMI} is missing: run `make setup` first"
    (tmp_path / "state").mkdir()
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path / 'state'}")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "only for this test")
    monkeypatch.setenv("PATH", f"{PULUMI.parent}:{os.environ['PATH']}")
    project = create_project(rack(2, "direct"), tmp_path)
    assert project.init().code == 0
    options = {"virtualenv": str(ROOT / ".venv")}
    project_file = {"name": "sparkform", "main": str(ROOT)}
    project_file["runtime"] = {"name": "python", "options": options}  # type: ignore[assignment]
    (tmp_path / "Pulumi.yaml").write_text(yaml.safe_dump(project_file))
    change_cluster(project, lambda cluster: cluster.update(swarm={"enabled": True}))
    run_pulumi(project, "stack", "init", "lab")
    run_pulumi(project, "up", "--yes", "--skip-preview", "--stack", "lab")
    return project


def change_cluster(project: RackProject, edit: object) -> None:
    tree = yaml.safe_load(project.stack.read_text())
    edit(tree["config"]["sparkform:cluster"])  # type: ignore[operator]
    project.stack.write_text(yaml.safe_dump(tree))


def run_pulumi(project: RackProject, *arguments: str) -> str:
    result = subprocess.run(
        [PULUMI, *arguments],
        cwd=project.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def list_resources(project: RackProject) -> list[str]:
    export = json.loads(run_pulumi(project, "stack", "export", "--stack", "lab"))
    return [resource["urn"].rpartition("::")[2] for resource in export["deployment"]["resources"]]


def keep_first_node(cluster: dict[str, object]) -> None:
    nodes = cluster["nodes"]
    assert isinstance(nodes, list)
    cluster.update(nodes=nodes[:1], fabric={"topology": "none"})


def test_a_lost_node_is_forgotten_and_given_back_when_it_returns(project: RackProject) -> None:
    result, checks = project.run_doctor()
    assert [check for check in checks if check["status"] == "fail"] == []
    print(f"\ndoctor on 2 nodes that are up, in Swarm: {result.took_s:.2f} s, {len(checks)} rows")
    assert project.run("forget", project.stack, "spark-2", "--yes").code == 2

    project.rack.break_("off", "spark-2")
    try:
        result = project.run("forget", project.stack, "spark-2", "--yes")
        assert result.code == 0, result.err
        assert not [name for name in list_resources(project) if name.startswith("spark-2")]
        change_cluster(project, keep_first_node)
        run_pulumi(project, "up", "--yes", "--skip-preview", "--stack", "lab")
        assert "unchanged" in run_pulumi(project, "up", "--yes", "--skip-preview", "--stack", "lab")
        assert len(project.rack.must("spark-1", "docker node ls -q").split()) == 1
    finally:
        project.rack.mend("off", "spark-2")

    # It can leave its Swarm only once dockerd is up.
    project.rack.must("spark-2", f"timeout 60 sh -c 'until {DOCKER}; do sleep 1; done'; {UNDO}")
    assert project.rack.ask("spark-2", "test -e /var/lib/sparkform").returncode == 1
    swarm = project.rack.must("spark-2", "docker info --format '{{.Swarm.LocalNodeState}}'")
    assert swarm.strip() == "inactive"
    run_pulumi(project, "destroy", "--yes", "--skip-preview", "--stack", "lab")
