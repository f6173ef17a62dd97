"""Services beside the nodes of a rack: a model hub with a package index, and image registries.

They listen on the rack's own leg in its management network and nowhere else, and end with it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from node.huggingface.lock import LOCK
from sparkrack.daemon import has_ended, spawn
from sparkrack.host import Notify, RackError, ask, must
from sparkrack.layout import SimulatedRack
from sparkrack.paths import CLONE, PACKAGE, cache_folder, get_companions_folder, get_rack_folder
from sparkrack.registry import PORT as REGISTRY_PORT
from sparkrack.registry import PRIVATE_PORT, write_password, write_settings
from sparkrack.shims import ROOTFS

HUB_PORT = 8087
NODE_PYTHON = "3.11"  # of Debian 12, which nodes are made of
STOP_TIMEOUT_S = 20
START_TIMEOUT_S = 30


def get_endpoint(rack: SimulatedRack) -> str:
    return f"http://{rack.host_address}:{HUB_PORT}"


def build_environment(rack: SimulatedRack) -> str:
    """/etc/environment of a node: where a machine-wide HF_ENDPOINT stands on a real one, too."""
    image_environment = (ROOTFS / "etc" / "environment").read_text().rstrip("\n")
    return f"{image_environment}\nHF_ENDPOINT={get_endpoint(rack)}\n"


def build_pip_settings(rack: SimulatedRack) -> str:
    """/etc/pip.conf of a node."""
    host = rack.host_address
    return f"[global]\nindex-url = {get_endpoint(rack)}/simple\ntrusted-host = {host}\n"


def get_hub_folder(name: str) -> Path:
    return get_companions_folder(name) / "hub"


def get_wheels_folder() -> Path:
    return cache_folder() / f"wheels-{hashlib.sha256(LOCK.encode()).hexdigest()[:16]}"


def ensure_wheels(notify: Notify) -> None:
    """The wheels of the hub's client for this machine's Python, fetched once, with their hashes."""
    folder = get_wheels_folder()
    if folder.is_dir():
        return
    notify("downloading the wheels of the model hub's client")
    draft = folder.with_suffix(f".{os.getpid()}")
    draft.mkdir(parents=True)
    lock = draft / "lock.txt"
    lock.write_text(LOCK)
    flags = ("--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:")
    download = [sys.executable, "-m", "pip", "download", *flags, f"--python-version={NODE_PYTHON}"]
    try:
        must([*download, f"--dest={draft}", f"--requirement={lock}"])
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def start(rack: SimulatedRack) -> None:
    """Start all three, and wait until they listen."""
    folder = get_companions_folder(rack.name)
    shutil.rmtree(folder, ignore_errors=True)
    get_hub_folder(rack.name).mkdir(parents=True)
    write_password(rack.name)
    for name, command in build_commands(rack).items():
        pid = spawn(command, get_rack_folder(rack.name) / f"{name}.log")
        (get_rack_folder(rack.name) / f"{name}.pid").write_text(f"{pid}\n")
    for port in (HUB_PORT, REGISTRY_PORT, PRIVATE_PORT):
        _await_port(rack, port)


def build_commands(rack: SimulatedRack) -> dict[str, tuple[str, ...]]:
    """By name. Each has the rack's folder among its words, by which `stop` knows it again."""
    hub = ("sparkrack.hub.server", str(rack.host_address), str(HUB_PORT))
    by_name: dict[str, tuple[str, ...]] = {
        "hub": _build_checkout_command(
            "-m", *hub, str(get_hub_folder(rack.name)), str(get_wheels_folder())
        )
    }
    for port in (REGISTRY_PORT, PRIVATE_PORT):
        by_name[f"registry-{port}"] = ("docker-registry", "serve", str(write_settings(rack, port)))
    return by_name


def _build_checkout_command(*arguments: str) -> tuple[str, ...]:
    return ("env", f"PYTHONPATH={PACKAGE.parent}:{CLONE}", sys.executable, *arguments)


def _await_port(rack: SimulatedRack, port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while str(port) not in ask(["ss", "-Hltn", f"src {rack.host_address}:{port}"]).out:
        if time.monotonic() > deadline:
            logs = sorted(get_rack_folder(rack.name).glob("*.log"))
            log_tails = " ".join(path.read_text()[-300:] for path in logs)
            raise RackError(f"nothing listens on {rack.host_address}:{port}: {log_tails}")
        time.sleep(0.1)


def stop(name: str) -> None:
    """Stop the services and remove their files. Idempotent."""
    for file in get_rack_folder(name).glob("*.pid"):
        _end_process(int(file.read_text()), str(get_companions_folder(name)))
    shutil.rmtree(get_companions_folder(name), ignore_errors=True)
    with suppress(OSError):
        get_companions_folder(name).parent.rmdir()


def _end_process(pid: int, mark: str) -> None:
    """Stop the process if it still is the one that `start` started."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except FileNotFoundError:
        return
    if not any(mark in argument for argument in arguments):
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while not has_ended(pid):
        if time.monotonic() > deadline:
            raise RackError(f"process {pid} did not stop; stop it by hand")
        time.sleep(0.1)
