"""Launches as text to read and compare: one item a line, files in full but for whole programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sparkform.launch import vocabulary_script
from sparkform.launch.records import KeyFile, Launch, LaunchFile, Mount

VOCABULARY_SCRIPT = Path(vocabulary_script.__file__)


def render_launches(launches: Sequence[Launch]) -> str:
    """All ranks of a service, one after the other."""
    return "\n".join(line for launch in launches for line in _render_launch(launch))


def _render_launch(launch: Launch) -> Iterator[str]:
    yield f"===== {launch.name}: rank {launch.rank}, {launch.role}, on {launch.node} ====="
    yield f"engine: {launch.engine}"
    yield f"runtime: {launch.runtime}"
    yield f"image: {launch.image or 'none'}"
    if launch.layer:
        yield f"layer: {launch.layer.reference}"
        yield from _indent(launch.layer.dockerfile)
    yield f"user: {launch.user}"
    yield f"network: {launch.network}, shares IPC: {'yes' if launch.shares_ipc else 'no'}"
    yield f"GPUs: {launch.gpus}, stop grace: {launch.stop_grace_s} s"
    yield from _render_list("entrypoint", launch.entrypoint)
    yield from _render_list("argv", launch.argv)
    yield from _render_list("environment", (f"{k}={v}" for k, v in launch.environment.items()))
    yield from _render_list("mounts", map(_render_mount, launch.mounts))
    yield from _render_list("devices", launch.devices)
    yield from _render_list("ulimits", (f"{k}={v}" for k, v in launch.ulimits.items()))
    yield from _render_list("ports", (f"{p.address}:{p.number} {p.purpose}" for p in launch.ports))
    yield from _render_list("secrets", (f"{s.secret} in {s.path} {s.mode}" for s in launch.secrets))
    yield from _render_list("keys", map(_render_key, launch.keys))
    yield from _render_list("unproven", launch.unproven)
    for file in launch.files:
        yield from _render_file(file)


def _render_list(title: str, items: Iterable[str]) -> Iterator[str]:
    lines = [f"  {item}" for item in items]
    if lines:
        yield f"{title}:"
        yield from lines


def _render_mount(mount: Mount) -> str:
    rights = "read only" if mount.read_only else "read and write"
    if mount.source is None:
        return f"memory -> {mount.target} ({mount.size_bytes} bytes, {rights})"
    return f"{mount.source} -> {mount.target} ({rights})"


def _render_key(key: KeyFile) -> str:
    hosts = ", ".join(f"{host} = {node}" for host, node in key.speaks_for.items())
    return f"{key.kind} in {key.path} {key.mode} from {key.source}" + (
        f" for {hosts}" if hosts else ""
    )


def _render_file(file: LaunchFile) -> Iterator[str]:
    yield f"file {file.path} {file.mode}:"
    is_program = file.text == VOCABULARY_SCRIPT.read_text()
    yield from _indent(f"as {VOCABULARY_SCRIPT.name}" if is_program else file.text)


def _indent(text: str) -> Iterator[str]:
    yield from (f"  {line}".rstrip() for line in text.splitlines())
