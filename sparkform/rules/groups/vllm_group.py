"""How vLLM's ranks on several Sparks find each other."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import Finding, Outcome

OWN_OPTIONS = ("nodes", "node_rank", "headless", "master_address")
"""What the launch gives each rank; in extraArgs every rank would get the same."""

LOOPBACK = ("127.", "localhost", "::1")
ADDRESSES = (
    "VLLM_HOST_IP",
    "RAY_NODE_IP_ADDRESS",
    "RAY_OVERRIDE_NODE_IP_ADDRESS",
    "VLLM_DP_MASTER_IP",
)
RANK_VARIABLES = ("RANK", "LOCAL_RANK", "VLLM_DP_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")


def rendezvous(service: ServiceView) -> Iterator[Outcome]:
    """Several nodes need exactly one way to meet: vLLM's own (--nnodes) or Ray.

    With neither vLLM stops at start, as the world is larger than the node; with both it waits for
    the wrong one. Ray's client mode (RAY_ADDRESS=ray://...) cannot carry a group at all.
    """
    if not service.spans_nodes:
        return
    launcher = service.settings.get("launcher")
    own = service.settings.get("nodes")
    if launcher is not None and launcher.text not in ("mp", "ray"):
        yield Finding(
            path=launcher.path,
            message=f"The service must join its nodes by mp or ray, and {launcher.text} joins "
            "none.",
            remedy="launcher: mp",
        )
    if own is not None and service.settings.text("launcher") == "ray":
        yield Finding(
            path=own.path,
            message="The service must join its nodes by Ray or by --nnodes, not by both.",
            remedy="launcher: mp",
        )
    address = service.variables.get("RAY_ADDRESS")
    if address is not None and address.text.startswith("ray://"):
        yield Finding(
            path=address.path,
            message="The service must run inside the Ray cluster, as Ray's client mode cannot "
            "carry ranks on several nodes.",
            remedy="launcher: mp",
        )


def roles(service: ServiceView) -> Iterator[Outcome]:
    """Each rank has its own number, ranks above 0 are headless, and the master is no loopback.

    The launch gives these to each rank. In extraArgs or environment all ranks get the same one:
    two ranks claim one number, or the head stops answering.
    """
    if not service.spans_nodes:
        return
    places = [one.path for name in OWN_OPTIONS if (one := service.settings.get(name))]
    places += [service.variables[name].path for name in RANK_VARIABLES if name in service.variables]
    for place in dict.fromkeys(places):
        yield Finding(
            path=place,
            message="The service must leave rank, role and master address to its launch, as this "
            "gives every rank the same.",
            remedy="# take it out of extraArgs or environment",
        )


def host_address(service: ServiceView) -> Iterator[Outcome]:
    """VLLM_HOST_IP and Ray's addresses differ by node: one value is wrong on all nodes but one.

    With the same address on two nodes the ranks connect to themselves and wait for ever. sparkform
    sets them for each node.
    """
    if not service.spans_nodes:
        return
    for name in ADDRESSES:
        if name in service.variables:
            yield Finding(
                path=service.variables[name].path,
                message=f"The service must not give all nodes the same {name}, by which they tell "
                "each other apart.",
                remedy=f"# take {name} out of environment",
            )


def unequal_ranks(service: ServiceView) -> Iterator[Outcome]:
    """Ranks with unequal arguments, environments or weights hang without an error.

    Context length, batch, memory share or drafts that differ between ranks stop a start after the
    weights are loaded, without a message. sparkform makes all ranks from one declaration and
    compares them; what can still differ is the revision of the weights that lie on the nodes.
    """
    yield from _unequal_launches(service)
    if not service.spans_nodes or service.block.revision or not service.block.model:
        return
    documents = {node.name: service.context.document(node.name) for node in service.nodes}
    held = {
        name: one.revision
        for name, document in documents.items()
        for one in (document.facts.models or () if document else ())
        if one.handle == service.block.model and one.revision
    }
    if len(set(held.values())) > 1:
        told = ", ".join(f"{name} {revision}" for name, revision in held.items())
        yield Finding(
            path=service.path("revision"),
            message=f"The service must load the same weights on all nodes, which hold {told}.",
            remedy=f"revision: {next(iter(held.values()))}",
        )


OWN_TO_A_RANK = frozenset(("--node-rank", "--headless", "--host", "--port", "--data-parallel-rank"))


def _unequal_launches(service: ServiceView) -> Iterator[Outcome]:
    ranks = (service.context.ranks or {}).get(service.name, ())
    for rank in ranks[1:]:
        # A worker whose program is another one (an SSH server, Ray) has arguments of its own.
        alike = rank.arguments[:1] == ranks[0].arguments[:1]
        own, head = (rank.arguments, ranks[0].arguments) if alike else ((), ())
        for what, mine, first in (
            ("arguments", _shared(own), _shared(head)),
            ("variables", set(rank.environment), set(ranks[0].environment)),
            ("image", {rank.image}, {ranks[0].image}),
        ):
            if mine != first:
                told = ", ".join(sorted(str(one) for one in mine ^ first))
                yield Finding(
                    path=service.base,
                    message=f"The service must start all ranks alike, and the {what} of "
                    f"{rank.node} and {ranks[0].node} differ: {told}.",
                    remedy="# give the setting once, for the whole service",
                )


def _shared(arguments: tuple[str, ...]) -> set[str]:
    """The arguments that all ranks must have; an option of one rank goes with its value."""
    kept, skip = set(), False
    for word in arguments:
        option = word.partition("=")[0]
        if option in OWN_TO_A_RANK:
            skip = option not in ("--headless",) and "=" not in word
        elif skip:
            skip = False
        else:
            kept.add(word)
    return kept


SERVICE_RULES = {
    "vllm-rendezvous": rendezvous,
    "vllm-mp-roles": roles,
    "host-ip-per-node": host_address,
    "ranks-differ": unequal_ranks,
}
