"""What monitoring's containers need: files, the signal that makes them read them, and volumes.

The containers see folders, so that a replaced file is seen. A program that runs is sent SIGHUP
after a change; one that does not run reads its files as it starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from urllib.parse import urlencode

from node.changes import container, declared_files, volume
from node.changes.declared_files import (
    DeclaredFile,
    ObservedFile,
    WantedFile,
    WantedSecret,
    observe_file,
    read_mode,
)
from node.host import docker_query
from node.host.paths import DOCKER_SOCKET, MONITORING
from node.host.plain import as_mapping
from node.host.system import System
from node.host.typed_json import OMITTED
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec

SECRETS_FOLDER = "secrets"


@dataclass(frozen=True)
class Want:
    """`containers`: all of them on this node, which go with the step; `readers`: those that read
    the files anew on SIGHUP; `stopped`: those that are there and do not run, None where all do.
    `keeps_data`: whether the volumes outlive the step."""

    files: tuple[WantedFile, ...]
    secrets: tuple[WantedSecret, ...]
    containers: tuple[str, ...]
    readers: tuple[str, ...]
    volumes: tuple[str, ...]
    keeps_data: bool
    stopped: tuple[str, ...] | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True)
class Observed:
    """By path: files with their digests, secrets with their modes alone. The names of volumes that
    are there, and of containers that do not run."""

    files: Mapping[str, ObservedFile] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Have:
    files: tuple[DeclaredFile, ...]
    secrets: tuple[DeclaredFile, ...]
    containers: tuple[str, ...]
    readers: tuple[str, ...]
    volumes: tuple[str, ...]
    keeps_data: bool
    stopped: tuple[str, ...] | None = field(default=None, metadata=OMITTED)


def observe(system: System, request: StepRequest) -> Observed:
    paths = list_files(system, MONITORING)
    return Observed(
        {path: observe_file(system, path) for path in paths if not _is_secret(path)},
        {path: read_mode(system, path) or "" for path in paths if _is_secret(path)},
        # A node that nothing was configured on asks Docker nothing.
        list_volumes(system) if paths else (),
        container.list_stopped(system) if paths else (),
    )


def list_volumes(system: System) -> tuple[str, ...]:
    """Raises StepError where Docker does not answer: then it is not known which there are."""
    answer = as_mapping(docker_query.query(system, "/volumes"))
    volumes = answer.get("Volumes")
    listed = volumes if isinstance(volumes, list) else []
    return tuple(sorted(str(as_mapping(volume).get("Name")) for volume in listed))


def list_files(system: System, folder: str) -> list[str]:
    """All files below a folder."""
    paths: list[str] = []
    for name in system.list_names(folder):
        path = f"{folder}/{name}"
        state = system.get_state(path)
        if state is not None:
            paths += list_files(system, path) if state.is_directory else [path]
    return paths


def _is_secret(path: str) -> bool:
    return f"/{SECRETS_FOLDER}/" in path


def narrow(observed: Observed, want: Want) -> Have:
    """A file that is as wanted has its wanted text; one that is not wanted any more differs."""
    volumes = tuple(name for name in want.volumes if name in observed.volumes)
    return Have(
        files=declared_files.narrow_files(want.files, observed.files),
        secrets=declared_files.narrow_secrets(want.secrets, observed.secrets),
        containers=want.containers,
        readers=want.readers,
        volumes=volumes,
        keeps_data=want.keeps_data,
        stopped=container.select_stopped(observed.stopped, want.containers),
    )


def compare(have: Have, want: Want) -> list[str]:
    wanted = declared_files.list_wanted(want.files, want.secrets)
    phrases = [
        _describe(state, wanted.get(state.path))
        for state in [*have.files, *have.secrets]
        if state != wanted.get(state.path)
    ]
    missing = [name for name in want.volumes if name not in have.volumes]
    phrases += [f"volume {name} is missing, will be made" for name in missing]
    return [*phrases, *container.describe_stopped(have.stopped)]


def _describe(state: DeclaredFile, wanted: DeclaredFile | None) -> str:
    if wanted is None:
        return f"{state.path} is not declared any more, will be removed"
    return f"{state.path} is {'missing' if state.mode is None else 'changed'}, will be written"


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    have = narrow(observe(manifest.system, StepRequest()), want)
    lines: list[str] = []
    for name in want.containers:
        container.record(manifest, name)
    for name in want.volumes:
        lines += volume.ensure(manifest, name, is_kept=want.keeps_data)
    states = (*have.files, *have.secrets)
    written = declared_files.write(manifest, want.files, want.secrets, states, secrets)
    reloaded = _reload(manifest.system, want.readers) if written else []
    started = [container.start(manifest.system, name) for name in have.stopped or ()]
    return [*lines, *written, *reloaded, *chain.from_iterable(started)]


def _reload(system: System, containers: tuple[str, ...]) -> list[str]:
    """Prometheus and Alertmanager read their files on SIGHUP (their docs, "Configuration")."""
    return [f"{name}: reads its files anew" for name in containers if _send_hangup(system, name)]


def _send_hangup(system: System, name: str) -> bool:
    path = f"/containers/{name}/kill?{urlencode({'signal': 'HUP'})}"
    return system.request(DOCKER_SOCKET, "POST", path).ok


SPEC = StepSpec(
    name="monitoring",
    want=Want,
    observed=Observed,
    observe=observe,
    needs_docker=True,
    narrow=narrow,
    compare=compare,
    apply=apply,
)
