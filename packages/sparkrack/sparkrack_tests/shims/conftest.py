"""A node's root in a temporary folder: data, a view of /sys without mounts, the real programs."""

from __future__ import annotations

import io
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sparkrack.shims import ROOTFS, build_defaults
from sparkrack.shims.rootfs.usr.lib.rack.rack_shims import links, sysview, watch


@dataclass(frozen=True, kw_only=True)
class ProgramResult:
    """What a program gave back."""

    returncode: int
    stdout: str
    stderr: str


class ShimNode:
    """The files of one node and its shims."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, document in build_defaults(0).items():
            self.write(f"etc/rack/{name}.json", json.dumps(document))
        self.edit("gpu", query_time_s=0.0)
        self.edit("hca", gid_table_length=16)  # 255 files a port take half a second to write

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def read_document(self, name: str) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.read(f"etc/rack/{name}.json"))
        return data

    def edit(self, name: str, **changes: object) -> None:
        path = self.root / f"etc/rack/{name}.json"
        data = json.loads(path.read_text()) if path.exists() else {}
        self.write(f"etc/rack/{name}.json", json.dumps(data | changes))

    def run(self, program: str, *arguments: str, stdin: str = "") -> ProgramResult:
        """Run a program's own file in this process: a new Python for each would take minutes."""
        path, argv, inputs = list(sys.path), sys.argv, sys.stdin
        out, errors = io.StringIO(), io.StringIO()
        sys.argv, sys.stdin = [program, *arguments], io.StringIO(stdin)
        code: object = 0
        try:
            with redirect_stdout(out), redirect_stderr(errors):
                runpy.run_path(str(ROOTFS / program), run_name="__main__")
        except SystemExit as end:
            code = end.code
        except Exception:
            code = 1
        finally:
            sys.path[:], sys.argv, sys.stdin = path, argv, inputs
        assert isinstance(code, int)
        return ProgramResult(returncode=code, stdout=out.getvalue(), stderr=errors.getvalue())

    def spawn(self, program: str, *arguments: str, path: str | None = None) -> ProgramResult:
        """Run a program as the node does, in a process of its own."""
        environment = {"RACK_SHIMS_ROOT": str(self.root), "PATH": path or os.environ["PATH"]}
        command = [str(ROOTFS / program), *arguments]
        result = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=20, check=False
        )
        return ProgramResult(
            returncode=result.returncode, stdout=result.stdout, stderr=result.stderr
        )

    def show_links(self, changed: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the view of /sys for these links; every other interface has no cable."""
        data = self.read_document("hca")
        present = {}
        for position, entry in enumerate(data["devices"].values()):
            name = entry["interface"]
            facts = changed.get(name, {})
            link = links.NetworkInterface(
                name=name,
                mac=facts.get("mac", f"02:57:00:00:00:{position:02x}"),
                mtu=facts.get("mtu", 1500),
                carrier=facts.get("carrier", False),
                addresses=tuple(facts.get("addresses", ())),
            )
            present[name] = link
            self.write(f"sys/class/net/{name}/mtu", f"{link.mtu}\n")
            self.write(f"sys/class/net/{name}/carrier", f"{int(link.carrier)}\n")
        tables = watch.compute_next_tables({}, data["devices"], present, data["gid_table_length"])
        sysview.write(data, self.read_document("system"), present, tables)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ShimNode:
    monkeypatch.setenv("RACK_SHIMS_ROOT", str(tmp_path))
    return ShimNode(tmp_path)
