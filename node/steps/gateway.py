"""What the gateway's containers need: files, digests of keys, a certificate; and that a change is
taken up by new workers while the old ones end what they have."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode

from node.changes import container, declared_files, directory, file, secret_file, tree
from node.changes.declared_files import DeclaredFile, ObservedFile, WantedFile, observe_file
from node.errors import StepError
from node.gateway.certificate import is_valid, make_ca, make_server
from node.gateway.keys import render_engine_key, render_key_digests
from node.host.paths import DOCKER_SOCKET, GATEWAY
from node.host.plain import as_mapping
from node.host.system import System
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec

SOCKETS, SECRETS = f"{GATEWAY}/run", f"{GATEWAY}/secrets"
KEYS, ENGINE_KEY, TLS = f"{SECRETS}/keys.map", f"{SECRETS}/engine.map", f"{SECRETS}/tls.pem"
TAKEN_UP = f"{SOCKETS}/taken-up"
"""The digest of what HAProxy was last told of; beside the sockets, so that it goes with them."""

CA_KEY, CA = f"{SECRETS}/ca.key", f"{GATEWAY}/ca.pem"
EXTENSIONS = f"{GATEWAY}/certificate.cnf"
SECRET_MODE, PUBLIC_MODE = 0o600, 0o644
RELOAD_TRIES, RELOAD_PAUSE_S = 10, 2.0
Certificate = Literal["made", "own", "none"]


@dataclass(frozen=True)
class Want:
    """`files`: with EXTENSIONS where the certificate is made. `containers`: in the order in which
    they are told of a change."""

    node: str
    files: tuple[WantedFile, ...]
    containers: tuple[str, ...]
    certificate: Certificate
    has_engine_key: bool


@dataclass(frozen=True)
class Observed:
    """By path: files with their digests; secrets with their modes alone. `is_valid`: whether the
    certificate lasts a month more; `is_taken_up`: whether HAProxy was told of all of them."""

    files: Mapping[str, ObservedFile] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    is_valid: bool = False
    is_taken_up: bool = False


@dataclass(frozen=True)
class Have:
    node: str
    files: tuple[DeclaredFile, ...]
    secrets: tuple[str, ...]
    certificate: Certificate
    is_valid: bool
    is_taken_up: bool


def observe(system: System, request: StepRequest) -> Observed:
    folders = (GATEWAY, f"{GATEWAY}/answers", f"{GATEWAY}/errors")
    paths = [path for folder in folders for path in _list_files(system, folder) if path != CA]
    secrets = {path: declared_files.read_mode(system, path) or "" for path in _list_secrets(system)}
    return Observed(
        {path: observe_file(system, path) for path in paths},
        secrets,
        is_valid(system, TLS),
        bool(paths) and system.read(TAKEN_UP) == _compute_digest(system, [*paths, *secrets]),
    )


def _compute_digest(system: System, paths: Sequence[str]) -> str:
    """Of all that HAProxy reads, keys' digests and certificate included."""
    digests = [file.compute_digest(system.read(path) or "") or "" for path in sorted(paths)]
    return file.compute_digest("".join(digests)) or ""


def _list_files(system: System, folder: str) -> list[str]:
    paths = [f"{folder}/{name}" for name in system.list_names(folder)]
    states = [(path, system.get_state(path)) for path in paths]
    return [path for path, state in states if state is not None and not state.is_directory]


def _list_secrets(system: System) -> list[str]:
    return _list_files(system, SECRETS)


def list_secret_paths(want: Want) -> tuple[str, ...]:
    tls = {"made": (CA_KEY, TLS), "own": (TLS,), "none": ()}[want.certificate]
    return (KEYS, *((ENGINE_KEY,) if want.has_engine_key else ()), *tls)


def narrow(observed: Observed, want: Want) -> Have:
    """Of the secrets those that are right; a file that is not wanted any more differs."""
    right = f"{SECRET_MODE:04o}"
    return Have(
        node=want.node,
        files=declared_files.narrow_files(want.files, observed.files),
        secrets=tuple(
            path if observed.secrets.get(path) == right else f"{path}, not right"
            for path in dict.fromkeys([*list_secret_paths(want), *observed.secrets])
            if path in list_secret_paths(want) or path in observed.secrets
        ),
        certificate=want.certificate,
        is_valid=observed.is_valid or want.certificate == "none",
        is_taken_up=observed.is_taken_up,
    )


def compare(have: Have, want: Want) -> list[str]:
    wanted = declared_files.list_wanted(want.files, ())
    phrases = [
        f"{state.path} is {_describe(state, wanted)}"
        for state in have.files
        if state != wanted.get(state.path)
    ]
    secrets = list_secret_paths(want)
    for path in secrets:
        if path not in have.secrets:
            phrases.append(f"{path} is missing or open to others, will be written")
    phrases += [
        f"{path.removesuffix(', not right')} is not declared any more, will be removed"
        for path in have.secrets
        if path.removesuffix(", not right") not in secrets
    ]
    if TLS in have.secrets and not have.is_valid:
        phrases.append("the certificate ends within a month, will be renewed")
    if not phrases and not have.is_taken_up:
        phrases.append("the gateway was not told of its last change, will be")
    return phrases


def _describe(state: DeclaredFile, wanted: Mapping[str, DeclaredFile]) -> str:
    if state.path not in wanted:
        return "not declared any more, will be removed"
    return f"{'missing' if state.mode is None else 'changed'}, will be written"


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    """What is written is ours before it is there."""
    system = manifest.system
    for name in want.containers:
        container.record(manifest, name)
    directory.make_parents(manifest, KEYS)
    tree.make(manifest, SOCKETS)
    have = narrow(observe(system, StepRequest()), want)
    lines = declared_files.write(manifest, want.files, (), have.files, secrets)
    are_names_new = any(line.startswith(EXTENSIONS) for line in lines)
    lines += _write_keys(manifest, want, secrets)
    lines += _write_certificate(manifest, want, secrets, are_names_new)
    lines += _remove_others(system, want)
    if lines or not have.is_taken_up:
        lines += _reload(system, want.containers)
        paths = [*(wanted.path for wanted in want.files), *_list_secrets(system)]
        system.write(TAKEN_UP, _compute_digest(system, paths))
    return lines


def _write_keys(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    lines = _write_secret(manifest, KEYS, render_key_digests(_require(secrets, "gatewayKeys")))
    if want.has_engine_key:
        text = render_engine_key(_require(secrets, "apiKey"))
        lines += _write_secret(manifest, ENGINE_KEY, text)
    return lines


def _require(secrets: Secrets, name: str) -> str:
    value = secrets.get(name)
    if not value:
        raise StepError(f"The stack's {name} did not arrive; set it and run `pulumi up`.")
    return value


def _write_certificate(
    manifest: Manifest, want: Want, secrets: Secrets, are_names_new: bool
) -> list[str]:
    if want.certificate == "none":
        return []
    if want.certificate == "own":
        parts = (_require(secrets, name).strip() for name in OWN_SECRETS)
        return _write_secret(manifest, TLS, "\n".join([*parts, ""]))
    return _make_certificate(manifest, want, are_names_new)


OWN_SECRETS = ("gatewayCertificate", "gatewayCertificateKey")


def _make_certificate(manifest: Manifest, want: Want, are_names_new: bool) -> list[str]:
    system, lines = manifest.system, []
    if not (system.read(CA) and system.read(CA_KEY)):
        ca = make_ca(system, f"sparkform gateway of {want.node}")
        lines += _write_secret(manifest, CA_KEY, ca.key)
        file.write(manifest, file.FileChange(CA, ca.certificate, PUBLIC_MODE))
    if lines or are_names_new or not is_valid(system, TLS):
        server = make_server(system, want.node, (CA, CA_KEY), EXTENSIONS)
        lines += _write_secret(manifest, TLS, server.certificate + server.key)
    return lines


def _write_secret(manifest: Manifest, path: str, text: str) -> list[str]:
    system = manifest.system
    is_right = declared_files.read_mode(system, path) == f"{SECRET_MODE:04o}"
    if is_right and system.read(path) == text:
        return []
    secret_file.write(manifest, path, text, SECRET_MODE)
    return [f"{path}: written"]


def _remove_others(system: System, want: Want) -> list[str]:
    others = [path for path in _list_secrets(system) if path not in list_secret_paths(want)]
    for path in others:
        system.remove(path)
    return [f"{path}: removed" for path in others]


def _reload(system: System, containers: Sequence[str]) -> list[str]:
    """A container that does not run reads its files as it starts."""
    return [line for name in containers for line in _reload_container(system, name)]


def _reload_container(system: System, name: str) -> list[str]:
    """HAProxy's master starts new workers on USR2 (its management guide, chapter 4). One that has
    only just started may miss it, and one that cannot read its files goes on with the old: a key
    that was removed would still open. Raises StepError."""
    old = _list_processes(system, name)
    if not old:
        return []
    kill = f"/containers/{name}/kill?{urlencode({'signal': 'USR2'})}"
    for _ in range(RELOAD_TRIES):
        system.request(DOCKER_SOCKET, "POST", kill)
        time.sleep(RELOAD_PAUSE_S)
        if _list_processes(system, name) - old:
            return [f"{name}: takes up the change"]
    raise StepError(f"{name} does not take up its changed files; `docker logs {name}` says why.")


def _list_processes(system: System, name: str) -> frozenset[str]:
    path = f"/containers/{name}/top?{urlencode({'ps_args': '-eo pid'})}"
    answer = system.request(DOCKER_SOCKET, "GET", path)
    processes = as_mapping(answer.body).get("Processes") if answer.ok else None
    rows = processes if isinstance(processes, list) else []
    return frozenset(str(row[0]) for row in rows if isinstance(row, list) and row)


SPEC = StepSpec(
    name="gateway",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
)
