"""Docker with the NVIDIA runtime, and the node's place in the Swarm."""

from __future__ import annotations

from collections.abc import Iterator

from node.host.plain import as_list, as_mapping
from sparkform.doctor.check import Check, NodeView
from sparkform.doctor.versions import is_at_least

MIN_SWARM_TOOLKIT = "1.19"
"""Before it `swarm-resource` is ignored in the default mode (nvidia-container-toolkit issue 1599,
fixed by 1600): Swarm then places a task on the GPU and the container gets none."""

RUNTIME = "nvidia"


def check_docker(view: NodeView) -> Iterator[Check]:
    docker_facts = view.facts.docker
    if docker_facts is None:
        reasons = [one.why for one in view.report.unreadable if one.what == "fact docker"]
        why = reasons[0] if reasons else "it does not answer"
        fix = "`sudo systemctl enable --now docker`; `sudo journalctl -u docker -n 30`"
        yield view.fail("docker", f"dockerd: {why}", fix)
    elif RUNTIME not in docker_facts.runtimes:
        fix = "`sudo apt install nvidia-container-toolkit`, then `pulumi up`"
        yield view.fail("docker", f"{docker_facts.version} without the runtime {RUNTIME}", fix)
    elif docker_facts.live_restore and view.declaration.swarm_enabled:
        fix = "take live-restore out of /etc/docker/daemon.json, `sudo systemctl restart docker`"
        yield view.fail("docker", "live-restore is on, which Docker does not allow in a Swarm", fix)
    else:
        yield view.ok("docker", f"{docker_facts.version} with the runtime {RUNTIME}")


def check_toolkit(view: NodeView) -> Iterator[Check]:
    toolkit_facts = view.facts.container_toolkit
    if toolkit_facts is None:
        return
    if (
        not view.declaration.swarm_enabled
        or is_at_least(toolkit_facts.version, MIN_SWARM_TOOLKIT) is True
    ):
        yield view.ok("container toolkit", toolkit_facts.version)
    else:
        message = (
            f"{toolkit_facts.version} ignores swarm-resource: a Swarm service would get no GPU"
        )
        fix = "`sudo apt update && sudo apt install nvidia-container-toolkit`, then `pulumi up`"
        yield view.fail(
            "container toolkit", f"{message}; {MIN_SWARM_TOOLKIT} or newer is needed", fix
        )


def check_swarm(view: NodeView) -> Iterator[Check]:
    """Whose Swarm it is in. Where it should be is a step, and so are its labels."""
    swarm_state = as_mapping(view.report.steps.get("swarm"))
    cluster = swarm_state.get("cluster")
    if not view.declaration.swarm_enabled or view.facts.swarm is None:
        return
    if cluster is None:
        yield view.ok("swarm", "in none; `pulumi up` starts or joins it")
    elif cluster in as_list(swarm_state.get("made")):
        yield view.ok("swarm", f"{swarm_state.get('role')} in {cluster}")
    elif view.declaration.cluster.swarm.take_over:
        yield view.warn("swarm", f"in Swarm {cluster} of others, to be left", "`pulumi up`")
    else:
        fix = "`docker swarm leave` on the node, or cluster.swarm.takeOver: true"
        yield view.fail("swarm", f"in Swarm {cluster}, which is not ours", fix)


def check_swarm_members(view: NodeView) -> Iterator[Check]:
    """What the head's Swarm says of its members: down ones get no work."""
    swarm_facts = view.facts.swarm
    if not view.node.is_head or swarm_facts is None or not swarm_facts.nodes:
        return
    unready = [
        member
        for member in swarm_facts.nodes
        if member.state != "ready" or member.availability != "active"
    ]
    for member in unready:
        message = f"{member.hostname} is {member.state}, availability {member.availability}"
        fix = (
            f"on {member.hostname}: `sudo systemctl restart docker`; gone for good: `docker "
            f"node rm`"
        )
        yield view.fail("swarm members", message, fix)
    if not unready:
        yield view.ok("swarm members", f"{len(swarm_facts.nodes)}, all ready")


CHECKS = (check_docker, check_toolkit, check_swarm, check_swarm_members)
