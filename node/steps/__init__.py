"""One module a step, each with the same five functions; undo is none of them (see node.verbs.undo).

`observe(system, request)`  what is: owned keys only, never a file's text. `want` is a request too.
`narrow(seen, want)`        what is, in want's terms: equal to want when nothing differs. Pure.
`differences(have, want)`   one phrase for each thing that differs, for people to read. Pure.
`disturbs(have, want)`      what a repair disturbs: none, docker, fabric or host. Pure.
`apply(journal, want, secret)`  observe again, change only what differs, a line for each thing done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Protocol, cast

from node.host.system import System
from node.state.manifest import Manifest

Json = Mapping[str, Any]


class StepModule(Protocol):
    """What every module in this package offers."""

    def observe(self, system: System, request: Json, /) -> dict[str, Any]: ...
    def narrow(self, observed: Json, want: Json, /) -> dict[str, Any]: ...
    def compare(self, have: Json, want: Json, /) -> list[str]: ...
    def get_disturbance(self, have: Json, want: Json, /) -> str: ...
    def apply(self, manifest: Manifest, want: Json, secret: Json, /) -> list[str]: ...


STEP_NAMES = (
    "prerequisites",
    "docker_daemon",
    "nccl_conf",
    "fabric_address",
    "fabric_confirm",
    "fabric_check",
    "swarm",
    "swarm_token",
    "swarm_labels",
    "swarm_network",
    "launch_keys",
    "launch_peers",
    "launch_files",
    "stop_previous",
    "member",
    "group",
    "ready",
    "native_venv",
    "native_nccl",
    "native_guard",
    "hub_client",
    "model",
    "transfer_key",
    "offer",
    "image",
)


class _StepRegistry(Mapping[str, StepModule]):
    """Step name to its module, imported when it is asked for: a verb needs one step, not all.

    A step that a node has several of is named `<name>:<instance>`, as in `fabric_check:0`.
    """

    def __getitem__(self, name: str) -> StepModule:
        module = name.partition(":")[0]
        if module not in STEP_NAMES:
            raise KeyError(name)
        return cast("StepModule", import_module(f"node.steps.{module}"))

    def __iter__(self) -> Iterator[str]:
        return iter(STEP_NAMES)

    def __len__(self) -> int:
        return len(STEP_NAMES)


STEPS: Mapping[str, StepModule] = _StepRegistry()
