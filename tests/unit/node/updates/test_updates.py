"""What apt and fwupd would update, by what they print; one run at a time, in its own unit."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from node.errors import StepError
from node.host import packages
from node.host.paths import REBOOT_REQUIRED
from node.host.system import COMMAND_NOT_FOUND, CommandResult
from node.readings.measure import Unread
from node.updates import apt, firmware, running
from node.verbs import updates, upgrade
from tests.support.fake_spark import FakeSpark

SIMULATION = """\
NOTE: This is only a simulation!
Reading package lists...
Building dependency tree...
Calculating upgrade...
The following packages have been kept back:
  libc6 nvidia-driver-580-open
  nvidia-dkms-580-open
The following NEW packages will be installed:
  linux-image-6.17.0-1031-nvidia
The following packages will be upgraded:
  tzdata
2 upgraded, 1 newly installed, 0 to remove and 3 not upgraded.
Inst tzdata [2024a-0+deb12u1] (2025b-0+deb12u2 Debian:12.12/oldstable [all])
Inst linux-image-6.17.0-1031-nvidia (6.17.0-1031.31 DGX:7.3/noble-updates [arm64])
Conf tzdata (2025b-0+deb12u2 Debian:12.12/oldstable [all])
"""
FIRMWARE = {
    "Devices": [
        {"Name": "UEFI Device Firmware", "Version": "1.0", "Releases": [{"Version": "1.1"}]},
        {"Name": "SSD", "Version": "7", "Releases": []},
    ]
}


def test_a_simulation_is_read_with_what_it_keeps_back() -> None:
    assert list(apt.parse_simulation(SIMULATION)) == [
        apt.PackageUpdate("tzdata", "2024a-0+deb12u1", "2025b-0+deb12u2"),
        apt.PackageUpdate("linux-image-6.17.0-1031-nvidia", "", "6.17.0-1031.31"),
    ]
    assert apt.parse_kept(SIMULATION) == ("libc6", "nvidia-driver-580-open", "nvidia-dkms-580-open")
    assert apt.parse_kept("Reading package lists...\n") == ()


RECORDED = """\
Reading package lists...
Building dependency tree...
Calculating upgrade...
The following NEW packages will be installed:
  rack-new
The following packages have been kept back:
  rack-loser rack-pinned rack-tool
The following packages will be upgraded:
  linux-image-rack rack-meta
2 upgraded, 1 newly installed, 0 to remove and 3 not upgraded.
Inst linux-image-rack [1] (2 localhost [all])
Inst rack-new (2 localhost [all])
Inst rack-meta [1] (2 localhost [all])
Conf linux-image-rack (2 localhost [all])
"""
"""By apt 2.6 from a repository of tiny packages: rack-pinned is held, rack-loser conflicts with
rack-tool, rack-meta 2 needs rack-new."""


def test_apts_own_words_are_read_and_nothing_is_removed() -> None:
    assert list(apt.parse_simulation(RECORDED)) == [
        apt.PackageUpdate("linux-image-rack", "1", "2"),
        apt.PackageUpdate("rack-new", "", "2"),
        apt.PackageUpdate("rack-meta", "1", "2"),
    ]
    assert apt.parse_kept(RECORDED) == ("rack-loser", "rack-pinned", "rack-tool")


def test_firmware_without_a_release_is_none() -> None:
    assert list(firmware.parse_updates(json.dumps(FIRMWARE))) == [
        firmware.FirmwareUpdate("UEFI Device Firmware", "1.0", "1.1")
    ]
    with pytest.raises(StepError, match="not JSON"):
        list(firmware.parse_updates("No updates available"))


def run_with_lock(
    folder: Path, command: str, message: str, times: int
) -> subprocess.CompletedProcess[str]:
    """The shell's own message; `dpkg` fails so many times."""
    count = folder / "count"
    count.write_text("0")
    scripts = {
        "dpkg": f"n=$(cat {count}); echo $((n + 1)) > {count}; "
        f'[ $n -ge {times} ] || {{ echo "{message}" >&2; exit 2; }}; echo configured',
        "sleep": f'echo "$1" >> {folder}/slept',
    }
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return subprocess.run(
        ["/bin/sh", "-c", command], env={"PATH": path}, capture_output=True, text=True, timeout=60
    )


LOCKED = "dpkg: error: dpkg frontend lock was locked by another process with pid 812"


@pytest.mark.parametrize(
    ("message", "times", "code", "turns"),
    [(LOCKED, 3, 0, 3), (LOCKED, 1000, 1, 119), ("dpkg: error processing package x", 9, 1, 0)],
)
def test_a_lock_of_others_is_waited_for_and_another_failure_is_not(
    tmp_path: Path, message: str, times: int, code: int, turns: int
) -> None:
    """Unattended upgrades hold it for minutes."""
    command = f"{apt.wait_for_lock('dpkg --configure --pending')}; echo went on"
    result = run_with_lock(tmp_path, command, message, times)
    assert result.returncode == code
    assert ("went on" in result.stdout) == (code == 0)
    slept = tmp_path / "slept"
    assert len(slept.read_text().split() if slept.exists() else []) == turns
    assert code == 0 or message in result.stdout


def test_nothing_of_a_run_is_a_variable_of_systemd() -> None:
    """It puts ${NAME} in itself (systemd.service(5), command lines)."""
    assert [text for text in running.COMMANDS.values() if "${" in text] == []


def test_packages_in_whose_middle_dpkg_was_killed_are_told() -> None:
    listing = (
        "initramfs-tools\t0.142\tinstall\thalf-configured\n"
        "libc6:arm64\t2.39\tinstall\tinstalled\n"
        "old\t1\tdeinstall\tconfig-files\n"
        "linux-image-7\t7\tinstall\tunpacked\n"
    )
    assert packages.parse_unconfigured(listing) == ("initramfs-tools", "linux-image-7")


class FakeUpdates:
    """What apt-get, fwupdmgr and systemd answer."""

    def __init__(self, spark: FakeSpark) -> None:
        self.started: list[list[str]] = []
        self.state, self.firmware_code = "inactive", 0
        self.simulation = CommandResult(0, SIMULATION, "")
        commands = spark.system.script.commands
        commands[("apt-get", "--simulate")] = lambda argv, stdin: self.simulation
        commands[("fwupdmgr", "get-updates")] = lambda argv, stdin: CommandResult(
            self.firmware_code, json.dumps(FIRMWARE), "fwupd is busy"
        )
        commands[("systemctl", "show")] = lambda argv, stdin: CommandResult(
            0, f"ActiveState={self.state}\nResult=success\n", ""
        )
        commands[("systemctl", "reset-failed")] = lambda argv, stdin: CommandResult(0, "", "")
        commands[("systemd-run",)] = self.start
        commands[("journalctl",)] = lambda argv, stdin: CommandResult(
            0, "Err:1 http://x\nE: Failed to fetch http://x\nE: Some index files failed\n", ""
        )

    def start(self, argv: list[str], stdin: str) -> CommandResult:
        self.started.append(argv)
        return CommandResult(0, "", "")


@pytest.fixture
def fake(spark: FakeSpark) -> FakeUpdates:
    spark.system.put("/proc/sys/kernel/random/boot_id", "b-1\n")
    return FakeUpdates(spark)


def test_a_node_tells_all_of_it_and_which_are_held(spark: FakeSpark, fake: FakeUpdates) -> None:
    (text,) = updates.main(spark.system, [], "")
    told = updates.parse_updates(text)
    assert told.boot_id == "b-1"
    assert isinstance(told.apt, apt.AptUpdates)
    assert told.apt.held == ("nvidia-driver-580-open",)
    assert [entry.candidate for entry in told.apt.packages] == ["2025b-0+deb12u2", "6.17.0-1031.31"]
    assert told.firmware == (firmware.FirmwareUpdate("UEFI Device Firmware", "1.0", "1.1"),)
    assert told.run == running.RunState()
    assert not told.is_reboot_required
    spark.system.put(REBOOT_REQUIRED, "")
    assert updates.read_updates(spark.system).is_reboot_required


def test_what_does_not_answer_is_unread_and_a_missing_fwupd_has_nothing(
    spark: FakeSpark, fake: FakeUpdates
) -> None:
    fake.firmware_code = 1
    fake.simulation = CommandResult(100, "", "E: dpkg was interrupted")
    told = updates.read_updates(spark.system)
    assert told.firmware == Unread("fwupdmgr: fwupd is busy")
    assert told.apt == Unread("apt-get: E: dpkg was interrupted")
    for code in (firmware.NOTHING_TO_DO, COMMAND_NOT_FOUND):
        fake.firmware_code = code
        assert updates.read_updates(spark.system).firmware == ()


def test_an_update_runs_by_itself_and_alone(spark: FakeSpark, fake: FakeUpdates) -> None:
    assert upgrade.main(spark.system, ['{"act": "packages"}'], "") == ["packages: started"]
    (argv,) = fake.started
    assert argv[:2] == ["systemd-run", f"--unit={running.UNIT}"]
    assert argv[-1] == apt.RUN
    assert "dist-upgrade" not in apt.RUN
    fake.state = "active"
    with pytest.raises(StepError, match="An update runs on this node already"):
        upgrade.main(spark.system, ['{"act": "firmware"}'], "")
    fake.state = "failed"
    assert running.read_run(spark.system).failure == "E: Failed to fetch http://x"


@pytest.mark.parametrize("request_text", ["{", '{"act": "wipe"}', "{}"])
def test_another_act_is_refused(spark: FakeSpark, fake: FakeUpdates, request_text: str) -> None:
    with pytest.raises(StepError, match="`upgrade`"):
        upgrade.main(spark.system, [request_text], "")
    assert fake.started == []
