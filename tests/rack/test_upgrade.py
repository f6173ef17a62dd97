"""`sparkform upgrade` on two nodes with an apt repository of their own: order, a kill, a bad node.

The packages are made on the node by dpkg-deb; firmware is a stand-in.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rack.command_line import MAIN, ROOT, ProjectRun, RackProject, create_project
from tests.rack.conftest import RackFactory
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.rack, pytest.mark.long]

WORKER, HEAD = "spark-2", "spark-1"
FIRMWARE = {
    "Devices": [{"Name": "UEFI", "Version": "1.0", "Releases": [{"Version": "1.1"}]}],
}
# A package with the name of a kernel: its update needs a reboot. `rack-pinned` is held.
MAKE_REPOSITORY = r"""
set -e
mkdir -p /srv/repository && cd /srv/repository && rm -f *.deb
make_package() {
  rm -rf /tmp/package && mkdir -p /tmp/package/DEBIAN
  control=/tmp/package/DEBIAN/control script=/tmp/package/DEBIAN/postinst
  printf 'Package: %s\nVersion: %s\nArchitecture: all\n' "$1" "$2" > $control
  printf 'Maintainer: rack <rack@example.org>\nDescription: a test\n' >> $control
  if [ -n "$3" ]; then printf '#!/bin/sh\n%s\n' "$3" > $script; chmod 755 $script; fi
  dpkg-deb --build --root-owner-group /tmp/package "$1_$2.deb" > /dev/null
}
if ! dpkg -s rack-tool > /dev/null 2>&1; then
  for name in linux-image-rack rack-tool rack-pinned; do make_package $name 1; done
  dpkg -i *_1.deb > /dev/null
  apt-mark hold rack-pinned > /dev/null
  rm -f *.deb
fi
for name in linux-image-rack rack-pinned; do make_package $name "$VERSION"; done
make_package rack-tool "$VERSION" "$SCRIPT"
: > Packages
for file in *.deb; do
  dpkg-deb -f $file >> Packages
  printf 'Filename: ./%s\nSize: %s\n' $file $(stat -c %s $file) >> Packages
  printf 'SHA256: %s\n\n' $(sha256sum $file | cut -d' ' -f1) >> Packages
done
rm -rf /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/srv/repository ./' > /etc/apt/sources.list
"""


@pytest.fixture(scope="module")
def project(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> RackProject:
    project = create_project(rack(2, "direct"), tmp_path_factory.mktemp("upgrade"))
    result = project.init()
    assert result.code == 0, result.err
    return project


def offer(project: RackProject, host: str, version: str, script: str = "") -> None:
    """A repository on the node with this version of the three packages."""
    command = f"sudo env VERSION={version} SCRIPT='{script}' bash -s"
    project.rack.must(host, command, MAKE_REPOSITORY)


def read_versions(project: RackProject, host: str) -> list[str]:
    # dpkg-query sorts them.
    names = "linux-image-rack rack-pinned rack-tool"
    return project.rack.must(host, f"dpkg-query -W -f '${{Version}} ' {names}").split()


def read_boot(project: RackProject, host: str) -> str:
    return project.rack.must(host, "cat /proc/sys/kernel/random/boot_id").strip()


def start_apply(project: RackProject) -> subprocess.Popen[str]:
    environment = {**os.environ, "HOME": str(project.folder), "PYTHONPATH": str(ROOT)}
    environment.pop("SSH_AUTH_SOCK", None)
    return subprocess.Popen(
        [sys.executable, "-P", "-c", MAIN, "upgrade", str(project.stack), "--apply"],
        cwd=project.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def apply_upgrade(project: RackProject) -> ProjectRun:
    started = time.monotonic()
    with start_apply(project) as process:
        out, err = process.communicate(timeout=600)
        return ProjectRun(process.returncode, out, err, time.monotonic() - started)


def read_progress(project: RackProject) -> dict[str, object]:
    path: Path = project.folder / ".upgrade-lab.json"
    progress: dict[str, object] = json.loads(path.read_text()) if path.exists() else {}
    return progress


def test_a_killed_upgrade_goes_on_and_the_head_comes_last(project: RackProject) -> None:
    for host in (WORKER, HEAD):
        offer(project, host, "2")
    firmware = json.dumps(FIRMWARE)
    project.rack.must(WORKER, "sudo tee /etc/rack/firmware-updates.json", firmware)
    boots = {host: read_boot(project, host) for host in (WORKER, HEAD)}
    for host in (WORKER, HEAD):
        project.rack.must(host, "sudo apt-get update")
    plan = project.run("upgrade", project.stack, "--plan")
    assert plan.code == 0, plan.err
    assert plan.out.index(f"1. {WORKER}") < plan.out.index(f"2. {HEAD}")
    for line in ("rack-tool 1 -> 2", "firmware of UEFI 1.0 -> 1.1", "a reboot"):
        assert line in plan.out
    assert "held, stay as they are: rack-pinned" in plan.out
    assert read_versions(project, WORKER) == ["1", "1", "1"], "a plan changes nothing"

    process = start_apply(project)
    wait_until(lambda: bool(read_progress(project).get("acts")), "no update has begun", 300)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert read_versions(project, HEAD) == ["1", "1", "1"]

    result = apply_upgrade(project)
    assert result.code == 0, result.err
    for host in (WORKER, HEAD):
        assert read_versions(project, host) == ["2", "1", "2"], "the held one stays"
        assert read_boot(project, host) != boots[host]
    assert read_progress(project) == {}
    assert "nothing to update" in project.run("upgrade", project.stack, "--plan").out


def test_a_node_that_fails_its_check_stops_the_rest(project: RackProject) -> None:
    offer(project, WORKER, "3", "mkdir -p /etc/rack/faults; touch /etc/rack/faults/gpu-gone")
    offer(project, HEAD, "3")
    result = apply_upgrade(project)
    assert result.code == 1
    assert f"stopped: {WORKER} fails after its update: " in result.err
    assert "gpu" in result.err
    assert f"not done: {WORKER}, {HEAD}" in result.err
    assert read_versions(project, HEAD) == ["2", "1", "2"]
    project.rack.must(WORKER, "sudo rm /etc/rack/faults/gpu-gone")
    assert apply_upgrade(project).code == 0
    assert read_versions(project, HEAD) == ["3", "1", "3"], "the held one stays"
