"""Docker with the NVIDIA runtime, and the node's place in the Swarm."""

from __future__ import annotations

from collections.abc import Iterator

from node.steps import swarm
from sparkform.doctor.check import Check, NodeView
from sparkform.plan.problems import find_unfitness
from sparkform.report.docker_facts import SwarmFacts, SwarmNode
from sparkform.rules.groups.swarm import MIN_TOOLKIT
from sparkform.versions import is_at_least

RUNTIME = "nvidia"


def check_docker(view: NodeView) -> Iterator[Check]:
    """A dockerd that cannot be queried fails: nothing starts on it."""
    docker_facts, reason = view.facts.docker, view.find_unread_reason("fact docker")
    if docker_facts is None:
        yield view.unknown("docker", reason or "the node did not report it", "fail")
    elif unfit := next(find_unfitness(docker_facts), None):
        yield view.fail("docker", f"{docker_facts.version} {unfit.message}", unfit.remedy)
    elif RUNTIME not in docker_facts.runtimes:
        fix = "`sudo apt install nvidia-container-toolkit`, then `pulumi up`"
        yield view.fail("docker", f"{docker_facts.version} without the runtime {RUNTIME}", fix)
    elif docker_facts.live_restore and view.declaration.swarm_enabled:
        fix = "take live-restore out of /etc/docker/daemon.json, `sudo systemctl restart docker`"
        yield view.fail("docker", "live-restore is on, which Docker does not allow in a Swarm", fix)
    else:
        yield view.ok("docker", f"{docker_facts.version} with the runtime {RUNTIME}")


def check_toolkit(view: NodeView) -> Iterator[Check]:
    toolkit = view.facts.container_toolkit
    if toolkit is None:
        return
    name, version = "container toolkit", toolkit.version
    has_swarm_gpus = is_at_least(version, MIN_TOOLKIT)
    if has_swarm_gpus or not view.declaration.swarm_enabled:
        yield view.ok(name, version)
    elif has_swarm_gpus is None:
        yield view.unknown(name, f"{version} is no version; Swarm needs {MIN_TOOLKIT} or newer")
    else:
        message = f"{version} ignores swarm-resource: a Swarm service gets no GPU"
        fix = "`sudo apt update && sudo apt install nvidia-container-toolkit`, then `pulumi up`"
        yield view.fail(name, f"{message}; {MIN_TOOLKIT} or newer is needed", fix)


def check_swarm(view: NodeView) -> Iterator[Check]:
    """Whose Swarm it is in. Where it should be is a step, and so are its labels."""
    if not view.declaration.swarm_enabled or view.facts.swarm is None:
        return
    trouble = _find_trouble(view.facts.swarm)
    if trouble is not None:
        yield view.fail("swarm", *trouble)
        return
    spec = swarm.SPEC
    observed = spec.read_observed(view.report.steps.get(spec.name))
    if observed.unknown is not None or not view.was_read(f"step {spec.name}"):
        return
    cluster = observed.cluster
    if cluster is None:
        yield view.ok("swarm", "not in a Swarm; `pulumi up` starts or joins it")
    elif cluster in observed.own_clusters:
        yield view.ok("swarm", f"{observed.role} in {cluster}")
    elif view.declaration.cluster.swarm.take_over:
        yield view.warn("swarm", f"in foreign Swarm {cluster}, which it will leave", "`pulumi up`")
    else:
        fix = "`docker swarm leave` on the node, or cluster.swarm.takeOver: true"
        yield view.fail("swarm", f"in foreign Swarm {cluster}", fix)


def _find_trouble(facts: SwarmFacts) -> tuple[str, str] | None:
    """What ails it and what to do, in Docker's own words for its state (LocalNodeState)."""
    error = facts.error or ""
    if facts.state == "locked":
        return "locked: it waits for its key since dockerd was started", "`docker swarm unlock`"
    if "expired" in error:
        fix = (
            "`docker swarm leave --force` on the node, then `pulumi up`; Docker renews it only "
            "while the node runs"
        )
        return "its certificate has expired", fix
    if "leader" in error:
        fix = "start the other managers; for good: `docker swarm init --force-new-cluster`"
        return "has no leader: too few of its managers are there", fix
    if facts.state == "pending":
        fix = "see that ports 2377/tcp and 7946 of the head are open, `sudo journalctl -u docker`"
        return "pending: the node has not reached its manager", fix
    if facts.state == "error" or error:
        return f"in error: {error or facts.state}"[:300], "`sudo journalctl -u docker -n 50`"
    return None


def check_swarm_members(view: NodeView) -> Iterator[Check]:
    """What the head's Swarm says of its members: down ones get no work."""
    swarm_facts = view.facts.swarm
    if not view.node.is_head or swarm_facts is None or not swarm_facts.nodes:
        return
    rows = [row for member in swarm_facts.nodes for row in _check_member(view, member)]
    yield from rows or [view.ok("swarm members", f"{len(swarm_facts.nodes)}, all ready")]


def _check_member(view: NodeView, member: SwarmNode) -> Iterator[Check]:
    """Nothing for a member that is ready."""
    name, hostname = "swarm members", member.hostname
    if member.state is None or member.availability is None:
        yield view.unknown(name, f"the Swarm does not say how {hostname} is")
    elif (member.state, member.availability) != ("ready", "active"):
        message = f"{hostname} is {member.state}, availability {member.availability}"
        fix = f"on {hostname}: `sudo systemctl restart docker`; gone for good: `docker node rm`"
        yield view.fail(name, message, fix)


CHECKS = (check_docker, check_toolkit, check_swarm, check_swarm_members)
