"""`make setup`: the steps in their order, each skipped when nothing that it reads has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pulumi_offline.files import write_atomically
from pulumi_offline.machine import Machine
from pulumi_offline.steps import bytecode, cli, plugins, state, virtualenv, vllm, wrapper

__all__ = ["Machine", "Step", "set_up"]


@dataclass(frozen=True)
class Step:
    """One part of setup.

    `key` is a content hash of everything that the step reads, `ready` says whether its result is
    still there, and `make` makes it and returns the rest of the line that is printed.
    """

    name: str
    key: Callable[[Machine], str]
    ready: Callable[[Machine], bool]
    make: Callable[[Machine], str]


STEPS = (
    Step("packages", virtualenv.key, virtualenv.ready, virtualenv.make),
    Step("bytecode", bytecode.key, bytecode.ready, bytecode.make),
    Step("pulumi", cli.key, cli.ready, cli.make),
    Step("plugins", plugins.key, plugins.ready, plugins.make),
    Step("state", state.key, state.ready, state.make),
    Step("wrapper", wrapper.key, wrapper.ready, wrapper.make),
)


ENGINES = {"vllm": Step("vllm", vllm.key, vllm.ready, vllm.make)}


def set_up(machine: Machine, engine: str | None = None) -> None:
    """Do what is not done yet, a real engine for the rack last.

    Raises InputError or OSError, with nothing left half-made.
    """
    for step in (*STEPS, *([ENGINES[engine]] if engine else [])):
        print(f"{step.name}: {carry_out(step, machine)}", flush=True)


def carry_out(step: Step, machine: Machine) -> str:
    stamp = machine.layout.made / "stamps" / step.name
    key = step.key(machine)
    if stamped(stamp) == key and step.ready(machine):
        return "unchanged"
    said = step.make(machine)
    write_atomically(stamp, key)
    return said


def stamped(path: Path) -> str:
    return path.read_text() if path.exists() else ""
