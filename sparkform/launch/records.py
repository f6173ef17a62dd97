"""A Launch and its parts: plain, frozen, and the same text for the same content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

Engine = Literal["trtllm", "vllm"]
Runtime = Literal["swarm", "container", "native"]
Role = Literal["head", "worker"]
KeyKind = Literal["client_key", "known_hosts", "host_key", "authorized_keys"]


@dataclass(frozen=True, kw_only=True)
class LaunchFile:
    """A file with a known text at `path`, as the engine sees it; owned by root.

    A file that is `own` differs from rank to rank by design.
    """

    path: str
    text: str
    mode: str = "0444"
    own: bool = False


@dataclass(frozen=True, kw_only=True)
class SecretFile:
    """Where the value of a top-level secret of the stack is found; never the value.

    `secret` is its key (`apiKey`). `path` is where the entrypoint reads it. `source` is the
    root-only file on the node that it is made from; Swarm hands its own secret over instead.
    """

    secret: str
    path: str
    source: str
    mode: str = "0400"


@dataclass(frozen=True, kw_only=True)
class KeyFile:
    """A file of the launch SSH that is made on the nodes (docs/design/launches.md, "Launch keys").

    `path` is where this rank sees it, `source` where it lies on the node. `speaks_for` names the
    nodes whose public halves it holds, by the host name that SSH asks for.
    """

    kind: KeyKind
    path: str
    source: str
    mode: str
    speaks_for: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder of the node, or memory where `source` is None (`size_bytes` is its limit)."""

    source: str | None
    target: str
    read_only: bool = True
    size_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class PortUse:
    """A TCP port that this rank listens on. `address` is 0.0.0.0 for all."""

    number: int
    address: str
    purpose: str


@dataclass(frozen=True, kw_only=True)
class ImageLayer:
    """What is built on the head before anything starts, because the declared image lacks it.

    The ranks start from `reference`, which is spread to the other nodes like any image.
    """

    reference: str
    dockerfile: str


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One rank of a service. `runtime` decides only how it is started.

    `entrypoint` + `argv` is the whole command. `ulimits` in Docker's numbers, -1 for none.
    `unproven` says what of this nobody is known to have run on a real Spark.
    """

    service: str
    name: str
    node: str
    rank: int
    role: Role
    engine: Engine
    runtime: Runtime
    image: str | None
    layer: ImageLayer | None = None
    user: str = "root"
    entrypoint: tuple[str, ...]
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    files: tuple[LaunchFile, ...] = ()
    secrets: tuple[SecretFile, ...] = ()
    keys: tuple[KeyFile, ...] = ()
    mounts: tuple[Mount, ...] = ()
    devices: tuple[str, ...] = ()
    ulimits: Mapping[str, int] = field(default_factory=dict)
    network: str = "host"
    shares_ipc: bool = False
    gpus: int = 1
    ports: tuple[PortUse, ...] = ()
    stop_grace_s: int = 5
    unproven: tuple[str, ...] = ()


def serialize_launches(launches: Sequence[Launch]) -> str:
    """All launches of a service as JSON text that depends on nothing but what is started.

    `unproven` is left out: a reworded remark must not restart an engine.
    """
    fieldss = [{k: v for k, v in asdict(launch).items() if k != "unproven"} for launch in launches]
    return json.dumps(fieldss, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def hash_launches(launches: Sequence[Launch]) -> str:
    """sha256 of `canonical`, in hex: the first part of a service's token."""
    return hashlib.sha256(serialize_launches(launches).encode()).hexdigest()
