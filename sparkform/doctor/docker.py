"""Docker with the NVIDIA runtime, and the node's place in the Swarm."""

from __future__ import annotations

from collections.abc import Iterator

from node.host.plain import listing, mapping
from sparkform.doctor.check import Check, View
from sparkform.doctor.versions import at_least

SWARM_TOOLKIT = "1.19"
"""Before it `swarm-resource` is ignored in the default mode (nvidia-container-toolkit issue 1599,
fixed by 1600): Swarm then places a task on the GPU and the container gets none."""

RUNTIME = "nvidia"


def docker(view: View) -> Iterator[Check]:
    found = view.facts.docker
    if found is None:
        reasons = [one.why for one in view.document.unreadable if one.what == "fact docker"]
        why = reasons[0] if reasons else "it does not answer"
        fix = "`sudo systemctl enable --now docker`; `sudo journalctl -u docker -n 30`"
        yield view.fail("docker", f"dockerd: {why}", fix)
    elif RUNTIME not in found.runtimes:
        fix = "`sudo apt install nvidia-container-toolkit`, then `pulumi up`"
        yield view.fail("docker", f"{found.version} without the runtime {RUNTIME}", fix)
    elif found.live_restore and view.spec.swarm_enabled:
        fix = "take live-restore out of /etc/docker/daemon.json, `sudo systemctl restart docker`"
        yield view.fail("docker", "live-restore is on, which Docker does not allow in a Swarm", fix)
    else:
        yield view.ok("docker", f"{found.version} with the runtime {RUNTIME}")


def toolkit(view: View) -> Iterator[Check]:
    found = view.facts.container_toolkit
    if found is None:
        return
    if not view.spec.swarm_enabled or at_least(found.version, SWARM_TOOLKIT) is True:
        yield view.ok("container toolkit", found.version)
    else:
        said = f"{found.version} ignores swarm-resource: a Swarm service would get no GPU"
        fix = "`sudo apt update && sudo apt install nvidia-container-toolkit`, then `pulumi up`"
        yield view.fail("container toolkit", f"{said}; {SWARM_TOOLKIT} or newer is needed", fix)


def swarm(view: View) -> Iterator[Check]:
    """Whose Swarm it is in. Where it should be is a step, and so are its labels."""
    seen = mapping(view.document.steps.get("swarm"))
    cluster = seen.get("cluster")
    if not view.spec.swarm_enabled or view.facts.swarm is None:
        return
    if cluster is None:
        yield view.ok("swarm", "in none; `pulumi up` starts or joins it")
    elif cluster in listing(seen.get("made")):
        yield view.ok("swarm", f"{seen.get('role')} in {cluster}")
    elif view.spec.cluster.swarm.take_over:
        yield view.warn("swarm", f"in Swarm {cluster} of others, to be left", "`pulumi up`")
    else:
        fix = "`docker swarm leave` on the node, or cluster.swarm.takeOver: true"
        yield view.fail("swarm", f"in Swarm {cluster}, which is not ours", fix)


def members(view: View) -> Iterator[Check]:
    """What the head's Swarm says of its members: down ones get no work."""
    found = view.facts.swarm
    if not view.node.is_head or found is None or not found.nodes:
        return
    lame = [one for one in found.nodes if one.state != "ready" or one.availability != "active"]
    for one in lame:
        said = f"{one.hostname} is {one.state}, availability {one.availability}"
        fix = f"on {one.hostname}: `sudo systemctl restart docker`; gone for good: `docker node rm`"
        yield view.fail("swarm members", said, fix)
    if not lame:
        yield view.ok("swarm members", f"{len(found.nodes)}, all ready")


CHECKS = (docker, toolkit, swarm, members)
