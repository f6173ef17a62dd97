"""Launches as text to read and compare: one item a line, files in full."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sparkform.launch.records import KeyFile, Launch, LaunchFile, Mount


def readable(launches: Sequence[Launch]) -> str:
    """All ranks of a service, one after the other."""
    return "\n".join(line for launch in launches for line in _launch(launch))


def _launch(launch: Launch) -> Iterator[str]:
    yield f"===== {launch.name}: rank {launch.rank}, {launch.role}, on {launch.node} ====="
    yield f"engine: {launch.engine}"
    yield f"runtime: {launch.runtime}"
    yield f"image: {launch.image or 'none'}"
    if launch.layer:
        yield f"layer: {launch.layer.reference}"
        yield from _indented(launch.layer.dockerfile)
    yield f"user: {launch.user}"
    yield f"network: {launch.network}, shares IPC: {'yes' if launch.shares_ipc else 'no'}"
    yield f"GPUs: {launch.gpus}, stop grace: {launch.stop_grace_s} s"
    yield from _listed("entrypoint", launch.entrypoint)
    yield from _listed("argv", launch.argv)
    yield from _listed("environment", (f"{k}={v}" for k, v in launch.environment.items()))
    yield from _listed("mounts", map(_mount, launch.mounts))
    yield from _listed("devices", launch.devices)
    yield from _listed("ulimits", (f"{k}={v}" for k, v in launch.ulimits.items()))
    yield from _listed("ports", (f"{p.address}:{p.number} {p.purpose}" for p in launch.ports))
    yield from _listed("secrets", (f"{s.secret} in {s.path} {s.mode}" for s in launch.secrets))
    yield from _listed("keys", map(_key, launch.keys))
    yield from _listed("unproven", launch.unproven)
    for file in launch.files:
        yield from _file(file)


def _listed(title: str, items: Iterable[str]) -> Iterator[str]:
    found = [f"  {item}" for item in items]
    if found:
        yield f"{title}:"
        yield from found


def _mount(mount: Mount) -> str:
    rights = "read only" if mount.read_only else "read and write"
    if mount.source is None:
        return f"memory -> {mount.target} ({mount.size_bytes} bytes, {rights})"
    return f"{mount.source} -> {mount.target} ({rights})"


def _key(key: KeyFile) -> str:
    hosts = ", ".join(f"{host} = {node}" for host, node in key.speaks_for.items())
    return f"{key.kind} in {key.path} {key.mode} from {key.source}" + (
        f" for {hosts}" if hosts else ""
    )


def _file(file: LaunchFile) -> Iterator[str]:
    yield f"file {file.path} {file.mode}:"
    yield from _indented(file.text)


def _indented(text: str) -> Iterator[str]:
    yield from (f"  {line}".rstrip() for line in text.splitlines())
