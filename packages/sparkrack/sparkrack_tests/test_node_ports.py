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


def port(own: str, far: str) -> dict[str, Any]:
    return {
        "device": f"dev-{own}",
        "panel": own,
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
            words = line.split()
            if words[-1] in ("up", "down"):
                self.up[words[2]] = words[-1] == "up"
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
    panel, looked, other_is_done = Panel(), threading.Event(), threading.Event()

    def ends_in_panel() -> set[str]:
        found = set(panel.present)
        if "b" not in found:
            looked.set()
            other_is_done.wait(0.2)
        return found

    monkeypatch.setattr(ports, "run", panel.run)
    monkeypatch.setattr(ports, "ends_in_panel", ends_in_panel)
    panel.present.add("a")
    first = threading.Thread(target=ports.apply, args=([port("a", "b")],))
    first.start()
    assert looked.wait(5)
    panel.present.add("b")
    ports.apply([port("b", "a")])
    other_is_done.set()
    first.join()
    assert panel.up == {"a": True, "b": True}
