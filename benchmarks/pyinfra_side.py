"""pyinfra on the same nodes: its virtual environment, its inventory, and what it says it did."""

from __future__ import annotations

import json
import re
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.host.paths import MANIFEST, STATE
from sparkrack.host import must
from sparkrack.layout import SimulatedNode, SimulatedRack
from sparkrack.login import USER, build_ssh_command
from sparkrack.paths import get_identity_file, get_known_hosts_file

HERE = Path(__file__).parent
FILES_ONLY = ("pyinfra_deploy.py",)
FILES_AND_FACTS = (*FILES_ONLY, "pyinfra_facts.py")
INSTALL_LIMIT_S = 900.0
TOTAL = re.compile(r"^\s+Grand total\s+(\d+)\s+(\S+)\s+(\S+)\s+(\S+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Pyinfra:
    """An installed pyinfra, and the folder with its inventory."""

    program: Path
    inventory: Path

    def argv(self, deploys: Sequence[str]) -> list[str]:
        return [
            *(str(self.program), "--yes", str(self.inventory)),
            *(str(HERE / deploy) for deploy in deploys),
        ]


def install(folder: Path, version: str) -> Path:
    """pyinfra in a virtual environment of its own; returns its program."""
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    must([*pip, f"pyinfra=={version}"], timeout_s=INSTALL_LIMIT_S)
    return folder / "bin" / "pyinfra"


def write_inventory(folder: Path, rack: SimulatedRack) -> Path:
    """Each node with the files that sparkform keeps there, byte for byte as they are now."""
    hosts = [
        (node.hostname, _build_host_data(folder / node.hostname, rack, node)) for node in rack.nodes
    ]
    inventory = folder / "inventory.py"
    inventory.write_text(f"hosts = {hosts!r}\n")
    return inventory


def _build_host_data(folder: Path, rack: SimulatedRack, node: SimulatedNode) -> dict[str, Any]:
    folder.mkdir(parents=True)
    return {
        "ssh_hostname": str(node.address),
        "ssh_user": USER,
        "ssh_key": str(get_identity_file(rack.name)),
        "ssh_known_hosts_file": str(get_known_hosts_file(rack.name)),
        "ssh_strict_host_key_checking": "yes",
        "ssh_allow_agent": False,
        "ssh_look_for_keys": False,
        "login": USER,
        "model_directory": f"{STATE}/models",
        "kept_files": [
            _save_kept_file(folder, rack, node, path)
            for path in list_kept_paths(_run_on_node(rack, node, f"sudo cat {MANIFEST}"))
        ],
    }


def _save_kept_file(
    folder: Path, rack: SimulatedRack, node: SimulatedNode, path: str
) -> dict[str, str]:
    mode, user, group = _run_on_node(rack, node, f"sudo stat -c '%a %U %G' {path}").split()
    source = folder / path.strip("/").replace("/", "_")
    source.write_text(_run_on_node(rack, node, f"sudo cat {path}"))
    return {"source": str(source), "path": path, "mode": mode, "user": user, "group": group}


def _run_on_node(rack: SimulatedRack, node: SimulatedNode, script: str) -> str:
    return must(build_ssh_command(rack.name, node, [script]))


def list_kept_paths(manifest: str) -> list[str]:
    """The files that sparkform's own manifest of a node names, each once."""
    entries: list[Mapping[str, Any]] = [json.loads(line) for line in manifest.splitlines()]
    return sorted({entry["subject"] for entry in entries if entry["kind"] == "file"})


def is_unchanged(output: str) -> bool:
    """Whether pyinfra ran operations, and none of them changed anything or failed."""
    total = TOTAL.search(output)
    if total is None:
        return False
    operations, changed, failed, unchanged = total.groups()
    return (changed, failed) == ("-", "-") and operations == unchanged
