"""Step `plugins`: the official resource plugins where they can be had, else the stand-ins."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from pulumi_offline.files import count_tree_bytes, create_scratch, replace_folder
from pulumi_offline.launchers import render_module_launcher, write_executable
from pulumi_offline.layout import PACKAGE
from pulumi_offline.machine import Machine, compute_digest
from pulumi_offline.versions import parse_pins

NAMES = ("command", "docker")
STAND_IN = "+stand-in"
# A site that cannot be reached sends nothing at all; one that is slow sends something.
SILENCE_S = 20.0
CHECK_S = 0.5


def list_wanted(machine: Machine) -> dict[str, str]:
    """Plugin name to version: those that the locked SDKs ask for."""
    pinned = parse_pins(machine.layout.lock.read_text())
    return {name: pinned[f"pulumi-{name}"] for name in NAMES}


def get_folder(machine: Machine, name: str, version: str) -> Path:
    return machine.layout.home / "plugins" / f"resource-{name}-v{version}"


def get_launcher(machine: Machine, name: str) -> str:
    return render_module_launcher(machine.layout, f"pulumi_offline.plugins.{name}")


def has_stand_in(machine: Machine, name: str) -> bool:
    return (machine.layout.root / PACKAGE / "plugins" / name / "__main__.py").is_file()


def compute_key(machine: Machine) -> str:
    stood_in = [get_launcher(machine, name) for name in NAMES if has_stand_in(machine, name)]
    text = f"{list_wanted(machine)} {stood_in}"
    return compute_digest([text.encode(), str((machine.layout.cli / "pulumi").resolve()).encode()])


def is_ready(machine: Machine) -> bool:
    return all(
        get_folder(machine, name, version).exists() or not has_stand_in(machine, name)
        for name, version in list_wanted(machine).items()
    )


def are_all_official(machine: Machine) -> bool:
    return all(
        is_official(get_folder(machine, name, version))
        for name, version in list_wanted(machine).items()
    )


def is_official(path: Path) -> bool:
    """A stand-in is a link; what Pulumi installs is a folder."""
    return path.is_dir() and not path.is_symlink()


def make(machine: Machine) -> str:
    """Get each plugin; once the site was out of reach, the rest is not asked for there."""
    reachable = True
    messages = []
    for name, version in list_wanted(machine).items():
        reachable = reachable and install_official(machine, name, version)
        messages.append(
            f"{name} {version} ({describe_result(machine, name, version, reachable=reachable)})"
        )
    return ", ".join(messages)


def describe_result(machine: Machine, name: str, version: str, *, reachable: bool) -> str:
    if reachable:
        return "official"
    if has_stand_in(machine, name):
        install_stand_in(machine, name, version)
        return "stand-in: the official one is out of reach"
    return "missing: the official one is out of reach and there is no stand-in"


def install_official(machine: Machine, name: str, version: str) -> bool:
    """Have Pulumi install its own plugin; False when that fails or nothing comes.

    It installs into a home of its own, because it takes a stand-in for the plugin itself.
    """
    path = get_folder(machine, name, version)
    if is_official(path):
        return True
    with create_scratch(machine.layout.made) as home:
        environment = {
            "PULUMI_HOME": str(home),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "TMPDIR": str(home),
        }
        argv = [str(machine.layout.cli / "pulumi"), "plugin", "install", "resource", name, version]
        arrived = home / "plugins" / path.name
        if (
            not run_watched(argv, {**machine.environment, **environment}, home)
            or not arrived.is_dir()
        ):
            return False
        replace_folder(arrived, path)
    shutil.rmtree(path.with_name(path.name + STAND_IN), ignore_errors=True)
    return True


def run_watched(argv: list[str], variables: Mapping[str, str], watched: Path) -> bool:
    """Run a download to its end, or until `watched` has not grown for SILENCE_S seconds."""
    with subprocess.Popen(
        argv,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        size, grown_at = 0, time.monotonic()
        while process.poll() is None and time.monotonic() - grown_at < SILENCE_S:
            time.sleep(CHECK_S)
            now = count_tree_bytes(watched)
            size, grown_at = (now, time.monotonic()) if now != size else (size, grown_at)
        process.kill()
        return process.wait() == 0


def install_stand_in(machine: Machine, name: str, version: str) -> None:
    """Install our own plugin under the official name.

    The folder's real name carries `+stand-in`, which `pulumi plugin ls` shows as the version; build
    metadata does not count when versions are compared. The official folder name is a link to it:
    Pulumi looks there before it downloads.
    """
    official_path = get_folder(machine, name, version)
    with create_scratch(official_path.parent) as making:
        plugin_folder = making / "plugin"
        plugin_folder.mkdir()
        write_executable(plugin_folder / f"pulumi-resource-{name}", get_launcher(machine, name))
        real = official_path.with_name(official_path.name + STAND_IN)
        replace_folder(plugin_folder, real)
        link = making / "link"
        link.symlink_to(real.name)
        replace_folder(link, official_path)
