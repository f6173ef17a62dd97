from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pulumi_offline.layout import PACKAGE
from pulumi_offline.python_gate import check_version

ROOT = Path(__file__).parents[4]
# Debian 10's Python: the oldest one that a `make setup` is likely to meet.
OLD_PYTHON = (3, 7)


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_a_tested_python_is_let_through(version) -> None:
    assert check_version(version) == ""


@pytest.mark.parametrize("version", [(3, 7), (3, 9), (3, 10), (3, 14)])
def test_another_python_is_refused_with_the_way_out(version) -> None:
    output = check_version(version)
    assert f"(got {version[0]}.{version[1]})" in output
    assert "make setup PYTHON=" in output


def test_an_old_python_can_read_what_refuses_it() -> None:
    for name in ("__init__", "__main__", "python_gate"):
        text = (ROOT / PACKAGE / f"{name}.py").read_text()
        ast.parse(text, feature_version=OLD_PYTHON)
    with pytest.raises(SyntaxError):
        ast.parse("match x:\n    case 1: pass\n", feature_version=OLD_PYTHON)
