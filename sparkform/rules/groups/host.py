"""What nodes report of their kernel and their login."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import Context, ServiceView
from sparkform.rules.outcome import Finding, Outcome, Skip

BAD_KERNELS = ("7.0.0-1019",)


def kernel(context: Context) -> Iterator[Outcome]:
    """Kernel 7.0.0-1019 reserves no contiguous memory, and RDMA registration fails.

    ibv_reg_mr ends with "cannot allocate memory". 6.17.0-1031 with driver 580.173.02 works.
    """
    for node in context.spec.active_nodes if context.topology != "none" else ():
        document = context.document(node.name)
        held = document.facts.host if document else None
        place = f"cluster.nodes[{node.position}]"
        if held is None:
            yield Skip(path=place, reason=f"the kernel of {node.name} is not known")
        elif held.kernel.startswith(BAD_KERNELS):
            yield Finding(
                path=place,
                message=f"The cluster must run another kernel than {held.kernel} on {node.name}, "
                "with which RDMA cannot register memory.",
                remedy="# sudo apt-get install linux-image-6.17.0-1031-nvidia",
            )


def remove_ipc(service: ServiceView) -> Iterator[Outcome]:
    """RemoveIPC=yes destroys a user's semaphores at his last logout, and with them his engines.

    It is logind's default. Native engines run as units of the system, and the user lingers, which
    sparkform sees to; where neither holds yet, this says so.
    """
    if service.block.runtime != "native":
        return
    for node in service.nodes:
        document = service.context.document(node.name)
        facts = document.facts if document else None
        if facts is None or facts.logind is None or facts.login is None:
            reason = f"logind's settings on {node.name} are not known"
            yield Skip(path=service.path("runtime"), reason=reason)
        elif facts.logind.remove_ipc and not facts.login.linger:
            yield Finding(
                path=service.path("runtime"),
                message=f"The service must outlive logins on {node.name}, where RemoveIPC "
                f"destroys the semaphores of {facts.login.user}.",
                remedy=f"# sudo loginctl enable-linger {facts.login.user}",
            )


SERVICE_RULES = {"removeipc": remove_ipc}
RACK_RULES = {"kernel-cma": kernel}
