"""A node's root in a temporary folder: data, a view of /sys without mounts, the real programs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rack.shims import ROOTFS, defaults
from rack.shims.rootfs.usr.lib.rack.rack_shims import links, sysview, watch


class Node:
    """The files of one node and its shims."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, document in defaults(0).items():
            self.write(f"etc/rack/{name}.json", json.dumps(document))
        self.edit("gpu", query_time_s=0.0)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def document(self, name: str) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.read(f"etc/rack/{name}.json"))
        return data

    def edit(self, name: str, **changes: object) -> None:
        path = self.root / f"etc/rack/{name}.json"
        data = json.loads(path.read_text()) if path.exists() else {}
        self.write(f"etc/rack/{name}.json", json.dumps(data | changes))

    def run(
        self, program: str, *arguments: str, stdin: str = "", path: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        environment = {"RACK_SHIMS_ROOT": str(self.root), "PATH": path or os.environ["PATH"]}
        return subprocess.run(
            [str(ROOTFS / program), *arguments],
            capture_output=True,
            text=True,
            input=stdin,
            env=environment,
            timeout=20,
        )

    def show_links(self, changed: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the view of /sys for these links; every other interface has no cable."""
        data = self.document("hca")
        found = {}
        for device, entry in data["devices"].items():
            name = entry["interface"]
            facts = {"mtu": 1500, "carrier": False, "addresses": []} | dict(changed.get(name, {}))
            facts["addresses"] = tuple(facts["addresses"])
            found[name] = links.Link(name=name, mac=data["mac_addresses"][device], **facts)
            self.write(f"sys/class/net/{name}/mtu", f"{facts['mtu']}\n")
            self.write(f"sys/class/net/{name}/carrier", f"{int(facts['carrier'])}\n")
        tables = watch.next_tables({}, data["devices"], found, data["gid_table_length"])
        sysview.write(data, self.document("system"), found, tables)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    monkeypatch.setenv("RACK_SHIMS_ROOT", str(tmp_path))
    return Node(tmp_path)
