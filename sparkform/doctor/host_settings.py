"""Settings of the machine that are declared: those that we never set, and what a guard has done."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime

from node.steps import earlyoom
from sparkform.doctor.check import Check, NodeView

GRUB_FILE = "/etc/default/grub.d/90-kernel-parameters.cfg"
"""update-grub of Debian and Ubuntu reads this folder after /etc/default/grub (grub-mkconfig)."""


def check_kernel_parameters(view: NodeView) -> Iterator[Check]:
    """They are never set by us: a wrong one keeps a machine from booting."""
    declared = view.node.host_settings.kernel_parameters
    host = view.facts.host
    if not declared or host is None:
        return
    if host.kernel_parameters is None:
        yield view.unknown("kernel parameters", "the node did not report its command line")
        return
    missing = [entry for entry in declared if entry not in host.kernel_parameters]
    if missing:
        message = f"the kernel runs without {' '.join(missing)}"
        yield view.warn("kernel parameters", message, format_grub_command(missing))
    else:
        yield view.ok("kernel parameters", " ".join(declared))


def format_grub_command(parameters: list[str]) -> str:
    """
    >>> print(format_grub_command(["kho=off"]))
    `echo 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX kho=off"' | sudo tee -a \
/etc/default/grub.d/90-kernel-parameters.cfg && sudo update-grub && sudo reboot`
    """
    line = f'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX {" ".join(parameters)}"'
    write = f"echo {shlex.quote(line)} | sudo tee -a {GRUB_FILE}"
    return f"`{write} && sudo update-grub && sudo reboot`"


def check_memory_kills(view: NodeView) -> Iterator[Check]:
    """What earlyoom has ended within the last day."""
    spec = earlyoom.SPEC
    for kill in spec.read_observed(view.report.steps.get(spec.name)).kills[-1:]:
        moment = datetime.fromtimestamp(kill.at_unix_s).isoformat(" ", "seconds")
        message = f"{kill.format_kill()} at {moment}, as memory ran out"
        fix = "`sparkform fit MODEL` has the sizes: lower maxSeqLen or the memory share"
        yield view.warn("memory guard", message, fix)


CHECKS = (check_kernel_parameters, check_memory_kills)
