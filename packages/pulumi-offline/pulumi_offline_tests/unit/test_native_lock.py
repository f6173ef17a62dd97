"""The locks of native engines: what of uv's and pip's answers goes into them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pulumi_offline import native_lock


def test_nccl_is_left_to_its_own_lock() -> None:
    text = "# comment\nvllm==0.32.0\nnvidia-nccl-cu13==2.29.7\n\nnccl4py==0.6.0\n"
    assert native_lock.list_pins(text) == ["vllm==0.32.0", "nccl4py==0.6.0"]


def test_a_line_names_the_wheel_by_its_digest(tmp_path: Path) -> None:
    wheel = tmp_path / "Tiny_Engine-1.0-cp312-cp312-manylinux_2_28_aarch64.whl"
    wheel.write_bytes(b"wheel")
    digest = hashlib.sha256(b"wheel").hexdigest()
    lines = dict(native_lock.render_lines([wheel]))
    assert lines == {"tiny-engine": f"tiny-engine==1.0 --hash=sha256:{digest}"}


def test_only_systems_that_a_spark_is_are_asked_for() -> None:
    assert all(platform.endswith("_aarch64") for platform in native_lock.PLATFORMS)
    assert "manylinux_2_39_aarch64" in native_lock.PLATFORMS
    assert "manylinux_2_40_aarch64" not in native_lock.PLATFORMS


def test_a_lock_keeps_its_comment_and_is_sorted(tmp_path: Path) -> None:
    path = tmp_path / "lock.txt"
    path.write_text("# why\nold==1\n")
    lines = {"b": "b==1 --hash=sha256:0", "a": "a==1 --hash=sha256:0"}
    lock = native_lock.render_lock(path, lines)
    assert lock == "# why\na==1 --hash=sha256:0\nb==1 --hash=sha256:0\n"
    assert "://" not in lock
