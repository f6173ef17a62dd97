"""Step `plugins`: the official resource plugins where they can be had, else the stand-ins."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from pulumi_offline.files import create_scratch_folder, measure_tree, replace_folder
from pulumi_offline.launchers import render_module_launcher, write_executable
from pulumi_offline.layout import PACKAGE
from pulumi_offline.machine import Machine, compute_digest
from pulumi_offline.versions import parse_pins

NAMES = ("command", "docker")
STAND_IN = "+stand-in"
# A site that cannot be reached sends nothing at all; one that is slow sends something.
SILENCE_S = 20.0
CHECK_S = 0.5


def list_required(machine: Machine) -> dict[str, str]:
    """Plugin name to version: those that the locked SDKs ask for."""
    pinned = parse_pins(machine.layout.lock.read_text())
    return {name: pinned[f"pulumi-{name}"] for name in NAMES}


def get_folder(machine: Machine, name: str, version: str) -> Path:
    return machine.layout.home / "plugins" / f"resource-{name}-v{version}"


def render_launcher(machine: Machine, name: str) -> str:
    return render_module_launcher(machine.layout, f"pulumi_offline.plugins.{name}")


def has_stand_in(machine: Machine, name: str) -> bool:
    return (machine.layout.root / PACKAGE / "plugins" / name / "__main__.py").is_file()


def compute_key(machine: Machine) -> str:
    stood_in = [render_launcher(machine, name) for name in NAMES if has_stand_in(machine, name)]
    versions = f"{list_required(machine)} {stood_in}"
    return compute_digest(
        [versions.encode(), str((machine.layout.cli / "pulumi").resolve()).encode()]
    )


def is_ready(machine: Machine) -> bool:
    return all(
        get_folder(machine, name, version).exists() or not has_stand_in(machine, name)
        for name, version in list_required(machine).items()
    )


def are_all_official(machine: Machine) -> bool:
    return all(
        is_official(get_folder(machine, name, version))
        for name, version in list_required(machine).items()
    )


def is_official(path: Path) -> bool:
    """A stand-in is a link; what Pulumi installs is a folder."""
    return path.is_dir() and not path.is_symlink()


def make(machine: Machine) -> str:
    """Get each plugin that is not official yet; a site that is out of reach is asked once."""
    reachable, unreachable = True, []
    for name, version in list_required(machine).items():
        if is_official(get_folder(machine, name, version)):
            continue
        reachable = reachable and install_official(machine, name, version)
        if not reachable:
            unreachable.append(name)
            if has_stand_in(machine, name):
                install_stand_in(machine, name, version)
    reason = f"; out of reach: official {', '.join(unreachable)}" if unreachable else ""
    return f"{describe(machine)}{reason}"


def describe(machine: Machine) -> str:
    """Each plugin in use: official, stand-in or missing."""
    return ", ".join(
        f"{name} {version} ({classify(get_folder(machine, name, version))})"
        for name, version in list_required(machine).items()
    )


def classify(path: Path) -> str:
    if is_official(path):
        return "official"
    return "stand-in" if path.exists() else "missing"


def install_official(machine: Machine, name: str, version: str) -> bool:
    """Have Pulumi install its own plugin; False when that fails or nothing comes.

    It installs into a home of its own, because it takes a stand-in for the plugin itself.
    """
    path = get_folder(machine, name, version)
    with create_scratch_folder(machine.layout.toolchain) as home:
        settings = {
            "PULUMI_HOME": str(home),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "TMPDIR": str(home),
        }
        argv = [str(machine.layout.cli / "pulumi"), "plugin", "install", "resource", name, version]
        arrived = home / "plugins" / path.name
        if (
            not run_download(argv, {**machine.environment, **settings}, home)
            or not arrived.is_dir()
        ):
            return False
        replace_folder(arrived, path)
    shutil.rmtree(path.with_name(path.name + STAND_IN), ignore_errors=True)
    return True


def run_download(argv: list[str], variables: Mapping[str, str], watched: Path) -> bool:
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
            now = measure_tree(watched)
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
    with create_scratch_folder(official_path.parent) as making:
        folder = making / "plugin"
        folder.mkdir()
        write_executable(folder / f"pulumi-resource-{name}", render_launcher(machine, name))
        real = official_path.with_name(official_path.name + STAND_IN)
        replace_folder(folder, real)
        link = making / "link"
        link.symlink_to(real.name)
        replace_folder(link, official_path)
