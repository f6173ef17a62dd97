"""How vLLM's ranks on several Sparks find each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import RuleFinding, RuleOutcome

if TYPE_CHECKING:
    from sparkform.launch import Launch

RANK_SETTINGS = ("nodes", "node_rank", "headless", "master_address")
"""What the launch gives each rank; in extraArgs every rank would get the same."""

ADDRESS_VARIABLES = (
    "VLLM_HOST_IP",
    "RAY_NODE_IP_ADDRESS",
    "RAY_OVERRIDE_NODE_IP_ADDRESS",
    "VLLM_DP_MASTER_IP",
)
RANK_VARIABLES = ("RANK", "LOCAL_RANK", "VLLM_DP_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")


def check_rendezvous(service: ServiceView) -> Iterator[RuleOutcome]:
    """Several nodes need exactly one way to meet: vLLM's own (--nnodes) or Ray.

    With neither vLLM stops at start; with both it waits for the wrong one. Ray's client mode
    (RAY_ADDRESS=ray://...) cannot carry a group.
    """
    if not service.spans_nodes:
        return
    launcher = service.settings.find("launcher")
    node_count = service.settings.find("nodes")
    if launcher is not None and launcher.text not in ("mp", "ray"):
        yield RuleFinding(
            path=launcher.path,
            message=f"The launcher {launcher.text} does not join nodes; mp and ray do.",
            remedy="launcher: mp",
        )
    if node_count is not None and service.settings.get_text("launcher") == "ray":
        yield RuleFinding(
            path=node_count.path,
            message="--nnodes and Ray are both set: vLLM waits for the wrong one.",
            remedy="launcher: mp",
        )
    address = service.variables.get("RAY_ADDRESS")
    if address is not None and address.text.startswith("ray://"):
        yield RuleFinding(
            path=address.path,
            message="Ray's client mode cannot carry ranks on several nodes.",
            remedy="launcher: mp",
        )


def check_rank_roles(service: ServiceView) -> Iterator[RuleOutcome]:
    """Each rank has its own number, ranks above 0 are headless, and the master is no loopback.

    The launch gives these to each rank. In extraArgs or environment all ranks get the same one:
    two ranks claim one number, or the head stops answering.
    """
    if not service.spans_nodes:
        return
    paths = [setting.path for name in RANK_SETTINGS if (setting := service.settings.find(name))]
    paths += [service.variables[name].path for name in RANK_VARIABLES if name in service.variables]
    for path in dict.fromkeys(paths):
        yield RuleFinding(
            path=path,
            message=(
                "Every rank gets the same rank, role or master address from this: the "
                "start hangs or the head stops answering."
            ),
            remedy="# take it out of extraArgs or environment",
        )


def check_host_addresses(service: ServiceView) -> Iterator[RuleOutcome]:
    """VLLM_HOST_IP and Ray's addresses differ by node: one value is wrong on all nodes but one.

    With one address on two nodes ranks connect to themselves and wait for ever. sparkform sets them
    for each node.
    """
    if not service.spans_nodes:
        return
    for name in ADDRESS_VARIABLES:
        if name in service.variables:
            yield RuleFinding(
                path=service.variables[name].path,
                message=(
                    f"{name} is the same on all nodes: ranks connect to themselves and wait "
                    "forever."
                ),
                remedy=f"# take {name} out of environment",
            )


def check_equal_ranks(service: ServiceView) -> Iterator[RuleOutcome]:
    """Ranks with unequal arguments, environments or weights hang without an error.

    A context length, batch, memory share or draft that differs stops a start after loading, without
    a message. sparkform makes all ranks from one declaration and compares them; only the revision
    of the weights on the nodes can still differ.
    """
    yield from _check_equal_launches(service)
    if not service.spans_nodes or service.block.revision or not service.block.model:
        return
    reports = {node.name: service.context.find_report(node.name) for node in service.nodes}
    revisions = {
        name: model.revision
        for name, report in reports.items()
        for model in (report.facts.models or () if report else ())
        if model.handle == service.block.model and model.revision
    }
    if len(set(revisions.values())) > 1:
        revision_list = ", ".join(f"{name} {revision}" for name, revision in revisions.items())
        yield RuleFinding(
            path=service.get_path("revision"),
            message=(
                "The nodes hold different revisions of the model, which hangs the start: "
                f"{revision_list}."
            ),
            remedy=f"revision: {next(iter(revisions.values()))}",
        )


RANK_OPTIONS = frozenset(("--node-rank", "--headless", "--host", "--port", "--data-parallel-rank"))


def _check_equal_launches(service: ServiceView) -> Iterator[RuleOutcome]:
    for worker in service.launches[1:]:
        head = service.launches[0]
        for trait, differences in _list_differences(head, worker):
            yield RuleFinding(
                path=service.base_path,
                message=(
                    f"The {trait} of {worker.node} and {head.node} differ, which hangs the start: "
                    f"{', '.join(sorted(differences))}."
                ),
                remedy="# give the setting once, for the whole service",
            )


def _list_differences(head: Launch, worker: Launch) -> Iterator[tuple[str, set[str]]]:
    """What only one of the two has, by trait. Values of variables may differ, names may not."""
    # A worker whose program is another one (an SSH server, Ray) has arguments of its own.
    if worker.argv[:1] == head.argv[:1]:
        arguments = _list_shared_arguments(worker.argv) ^ _list_shared_arguments(head.argv)
        if arguments:
            yield "arguments", arguments
    variables = {*worker.environment} ^ {*head.environment}
    if variables:
        yield "variables", variables
    if worker.image != head.image:
        yield "images", {str(worker.image), str(head.image)}


def _list_shared_arguments(arguments: tuple[str, ...]) -> set[str]:
    """The arguments that all ranks must have; an option of one rank goes with its value."""
    shared_arguments, skips_value = set(), False
    for argument in arguments:
        option = argument.partition("=")[0]
        if option in RANK_OPTIONS:
            skips_value = option not in ("--headless",) and "=" not in argument
        elif skips_value:
            skips_value = False
        else:
            shared_arguments.add(argument)
    return shared_arguments


SERVICE_RULES = {
    "vllm-rendezvous": check_rendezvous,
    "vllm-mp-roles": check_rank_roles,
    "host-ip-per-node": check_host_addresses,
    "ranks-differ": check_equal_ranks,
}
