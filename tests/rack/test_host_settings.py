"""Clock limit, memory guard and held packages on a node: drift, repair, reboot, undo byte for byte.

The rack's GPU is a stand-in; earlyoom, apt and dpkg are Debian's own.
"""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment
from tests.support.digest import compute_digest, list_changes
from tests.support.rack import RackHandle
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.rack, pytest.mark.long]

NODE = "spark-1"
CLOCK = "nvidia-smi --query-gpu=clocks.gr --format=csv,noheader,nounits"
STATES = ("apt-mark showhold", CLOCK, "systemctl is-active earlyoom.service; true")
SETTINGS = {
    "gpuClockMhz": 2100,
    # So little that a busy machine does not come to it: earlyoom sees all of the host's memory.
    "memoryGuard": {"minAvailableGib": 0.1},
    "hold": ["docker"],
}
DRIFTS = [
    (
        "sudo systemctl stop sparkform-gpu-clock.service && sudo nvidia-smi -rgc",
        "gpu_clock",
        (
            "unit of the GPU clock limit is stopped, will be started",
            "GPU runs at 2418 MHz, will be limited to 2100 MHz",
        ),
    ),
    (
        "sudo sed -i s/2100/2400/ /etc/systemd/system/sparkform-gpu-clock.service",
        "gpu_clock",
        ("GPU clock limit is 2400 MHz, will be 2100 MHz",),
    ),
    (
        "sudo rm /var/lib/sparkform/memory-guard.json",
        "page_cache",
        ("free memory that starts keep, in KiB, is unset, will be 8388608",),
    ),
    (
        "sudo systemctl stop earlyoom.service",
        "earlyoom",
        ("earlyoom is stopped, will be started",),
    ),
    (
        "sudo apt-mark unhold docker.io",
        "package_hold",
        ("not held by apt: docker.io; will be held",),
    ),
]


def install_earlyoom(machines: RackHandle, folder: Path) -> None:
    """Never started with its own settings: it would see the memory of everything on this host."""
    subprocess.run(
        ["apt-get", "download", "-o", "APT::Sandbox::User=root", "earlyoom"],
        cwd=folder,
        check=True,
        timeout=120,
    )
    (package,) = folder.glob("earlyoom_*.deb")
    text = base64.b64encode(package.read_bytes()).decode()
    machines.must(NODE, "base64 -d > /tmp/earlyoom.deb", text)
    machines.must(
        NODE,
        "sudo systemctl mask earlyoom && sudo dpkg -i /tmp/earlyoom.deb && "
        "sudo systemctl unmask earlyoom && sudo systemctl disable earlyoom && "
        "rm /tmp/earlyoom.deb",
    )


def read_states(machines: RackHandle) -> list[str]:
    return [machines.must(NODE, command) for command in STATES]


def await_limit(machines: RackHandle) -> None:
    wait_until(
        lambda: machines.must(NODE, CLOCK).strip() == "2100", "the clock is not limited", 180
    )


def test_declared_settings_are_kept_and_go_back(rack: RackFactory, tmp_path: Path) -> None:
    machines = rack(nodes=1, fabric="none")
    install_earlyoom(machines, tmp_path)
    before, states = compute_digest(machines), read_states(machines)
    deployment = Deployment.create(machines, tmp_path)
    deployment.cluster["host"] = SETTINGS
    deployment.up()
    assert machines.must(NODE, CLOCK).strip() == "2100"
    assert "docker.io" in machines.must(NODE, "apt-mark showhold").split()
    assert deployment.preview().changed == set()

    for script, step, phrases in DRIFTS:
        machines.must(NODE, script)
        preview = deployment.preview()
        assert preview.messages == sorted(f"{NODE} {step}: {phrase}" for phrase in phrases)
        assert preview.changed == {f"{NODE}-{step}"}
        assert deployment.up().changed == {f"{NODE}-{step}"}
        assert deployment.preview().changed == set()

    machines.break_("reboot", NODE)
    machines.mend("reboot", NODE)
    await_limit(machines)
    assert machines.must(NODE, "systemctl is-active earlyoom.service").strip() == "active"
    assert deployment.preview().changed == set()

    # A driver that is loaded anew has forgotten the limit; the unit sets it again.
    machines.must(NODE, "sudo rm /dev/shm/rack-gpu-clock-limit")
    await_limit(machines)

    deployment.cluster["host"] = {**SETTINGS, "gpuClockMhz": 2101}
    assert "the GPU has no such clock (got 2101)" in "".join(deployment.preview().messages)
    del deployment.cluster["host"]
    deployment.up()
    assert read_states(machines) == states
    deployment.destroy()
    assert list_changes(before, compute_digest(machines)) == []
    assert read_states(machines) == states
