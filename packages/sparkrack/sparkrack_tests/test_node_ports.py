"""The program that plugs a node into the panel, where two nodes start at the same moment."""

from __future__ import annotations

import importlib.util
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import sparkrack

PROGRAM = Path(sparkrack.__file__).parent / "image/rootfs/usr/local/lib/rack/ports.py"


def build_port(panel_end: str, far: str) -> dict[str, Any]:
    return {
        "device": f"dev-{panel_end}",
        "panel": panel_end,
        "far": [far],
        "segment": "cable0",
        "state": "up",
        "mtu": None,
        "rate": None,
    }


class Panel:
    """The ends that are plugged in, and which of them are up, by the `ip` lines that ran."""

    def __init__(self) -> None:
        self.present: set[str] = set()
        self.up: dict[str, bool] = {}

    def run(self, argv: list[str], lines: list[str] | None = None) -> str:
        for line in lines or []:
            fields = line.split()
            if fields[-1] in ("up", "down"):
                self.up[fields[2]] = fields[-1] == "up"
        return "[]"


@pytest.fixture
def ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("node_ports", PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "panel").touch()
    monkeypatch.setattr(module, "PANEL", str(tmp_path / "panel"))
    return module


def test_an_old_look_takes_no_carrier_from_a_node_that_came_in_between(
    ports: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, listed, other_is_done = Panel(), threading.Event(), threading.Event()

    def list_panel_ends() -> set[str]:
        ends = set(panel.present)
        if "b" not in ends:
            listed.set()
            other_is_done.wait(0.2)
        return ends

    monkeypatch.setattr(ports, "run", panel.run)
    monkeypatch.setattr(ports, "list_panel_ends", list_panel_ends)
    panel.present.add("a")
    first = threading.Thread(target=ports.apply, args=([build_port("a", "b")],))
    first.start()
    assert listed.wait(5)
    panel.present.add("b")
    ports.apply([build_port("b", "a")])
    other_is_done.set()
    first.join()
    assert panel.up == {"a": True, "b": True}
