"""What nodes report of their kernel and their login."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sparkform.rules.context import Context, ServiceView
from sparkform.rules.outcome import RuleFinding, RuleOutcome, RuleSkip

if TYPE_CHECKING:
    from sparkform.report.facts import MemoryFacts

SUSPECT_KERNELS = ("7.0.0-",)
KHO_OFF = (
    "# add kho=off to GRUB_CMDLINE_LINUX in /etc/default/grub, run update-grub and reboot; or "
    "install linux-image-6.17.0-1031-nvidia"
)


def check_kernel(context: Context) -> Iterator[RuleOutcome]:
    """Kernels 7.0.0 with kexec handover keep contiguous memory that nothing counts: RDMA fails.

    /proc/meminfo then shows CmaFree above CmaTotal, ibv_reg_mr ends with "cannot allocate memory",
    and `kho=off` cures. Where a node reports neither figure, its kernel's version decides.
    """
    for node in context.declaration.active_nodes if context.topology != "none" else ():
        report = context.find_report(node.name)
        host = report.facts.host if report else None
        memory = report.facts.memory if report else None
        path = f"cluster.nodes[{node.position}]"
        if host is None:
            yield RuleSkip(path=path, reason=f"the kernel of {node.name} is not known")
        elif _keeps_contiguous_memory(host.kernel, memory):
            yield RuleFinding(
                path=path,
                message=f"RDMA cannot register memory with kernel {host.kernel} of {node.name}.",
                remedy=KHO_OFF,
            )


def _keeps_contiguous_memory(kernel: str, memory: MemoryFacts | None) -> bool:
    if memory is None or memory.cma_free_kib is None or memory.cma_total_kib is None:
        return kernel.startswith(SUSPECT_KERNELS)
    return memory.cma_free_kib > memory.cma_total_kib


def check_remove_ipc(service: ServiceView) -> Iterator[RuleOutcome]:
    """RemoveIPC=yes destroys a user's semaphores at his last logout, and with them his engines.

    It is logind's default. sparkform runs native engines as system units and lets the user linger;
    this says where neither holds yet.
    """
    if service.block.runtime != "native":
        return
    for node in service.nodes:
        report = service.context.find_report(node.name)
        facts = report.facts if report else None
        if facts is None or facts.logind is None or facts.login is None:
            reason = f"logind's settings on {node.name} are not known"
            yield RuleSkip(path=service.get_path("runtime"), reason=reason)
        elif facts.logind.remove_ipc and not facts.login.linger:
            yield RuleFinding(
                path=service.get_path("runtime"),
                message=(
                    f"The last logout of {facts.login.user} on {node.name} destroys the "
                    "engine's semaphores: RemoveIPC is on and the user does not linger."
                ),
                remedy=f"# sudo loginctl enable-linger {facts.login.user}",
            )


SERVICE_RULES = {"removeipc": check_remove_ipc}
RACK_RULES = {"kernel-cma": check_kernel}
