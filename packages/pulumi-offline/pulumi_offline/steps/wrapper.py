"""Step `wrapper`: .toolchain/bin/pulumi, which knows this clone's plugins and backend."""

from __future__ import annotations

from pulumi_offline.launchers import render_wrapper, write_executable
from pulumi_offline.machine import Machine, compute_digest
from pulumi_offline.steps.plugins import are_all_official


def render_text(machine: Machine) -> str:
    return render_wrapper(machine.layout, acquire_plugins=are_all_official(machine))


def compute_key(machine: Machine) -> str:
    return compute_digest([render_text(machine).encode()])


def is_ready(machine: Machine) -> bool:
    return machine.layout.wrapper.is_file()


def make(machine: Machine) -> str:
    write_executable(machine.layout.wrapper, render_text(machine))
    return ".toolchain/bin/pulumi"
