"""Step `wrapper`: .toolchain/bin/pulumi, which knows this clone's plugins and backend."""

from __future__ import annotations

from pulumi_offline.launchers import pulumi_wrapper, write_executable
from pulumi_offline.machine import Machine, digest
from pulumi_offline.steps.plugins import all_official


def text(machine: Machine) -> str:
    return pulumi_wrapper(machine.layout, acquire_plugins=all_official(machine))


def key(machine: Machine) -> str:
    return digest([text(machine).encode()])


def ready(machine: Machine) -> bool:
    return machine.layout.wrapper.is_file()


def make(machine: Machine) -> str:
    write_executable(machine.layout.wrapper, text(machine))
    return ".toolchain/bin/pulumi"
