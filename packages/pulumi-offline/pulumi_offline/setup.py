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

    `compute_key` returns a content hash of everything that the step reads, `is_ready` whether its
    result is still there; `make` makes it and returns the rest of the line that is printed.
    `describe` says what an unchanged result is, where that is not plain.
    """

    name: str
    compute_key: Callable[[Machine], str]
    is_ready: Callable[[Machine], bool]
    make: Callable[[Machine], str]
    describe: Callable[[Machine], str] | None = None


STEPS = (
    Step("packages", virtualenv.compute_key, virtualenv.is_ready, virtualenv.make),
    Step("bytecode", bytecode.compute_key, bytecode.is_ready, bytecode.make),
    Step("pulumi", cli.compute_key, cli.is_ready, cli.make),
    Step("plugins", plugins.compute_key, plugins.is_ready, plugins.make, plugins.describe),
    Step("state", state.compute_key, state.is_ready, state.make),
    Step("wrapper", wrapper.compute_key, wrapper.is_ready, wrapper.make),
)


ENGINES = {"vllm": Step("vllm", vllm.compute_key, vllm.is_ready, vllm.make)}


def set_up(machine: Machine, engine: str | None = None) -> None:
    """Do what is not done yet, a real engine for the rack last. What another clone has made, to
    which this one only links, names that clone's paths and is left alone.

    Raises InputError or OSError, with nothing left half-made.
    """
    toolchain = machine.layout.toolchain
    if toolchain.is_symlink():
        print(f"toolchain: of {toolchain.resolve().parent}, left as it is", flush=True)
        return
    for step in (*STEPS, *([ENGINES[engine]] if engine else [])):
        print(f"{step.name}: {carry_out(step, machine)}", flush=True)


def carry_out(step: Step, machine: Machine) -> str:
    stamp = machine.layout.toolchain / "stamps" / step.name
    key = step.compute_key(machine)
    if read_stamp(stamp) == key and step.is_ready(machine):
        return f"unchanged: {step.describe(machine)}" if step.describe else "unchanged"
    outcome = step.make(machine)
    write_atomically(stamp, key)
    return outcome


def read_stamp(path: Path) -> str:
    return path.read_text() if path.exists() else ""
