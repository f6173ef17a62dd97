"""A stack with one service on a rack, and what others do to it by hand."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.deployment import Deployment, PulumiOutcome
from tests.support.digest import Digest
from tests.support.rack import RackHandle

DAEMON = "/etc/docker/daemon.json"
FORGET_RUNTIME = f"""
import json, pathlib
path = pathlib.Path("{DAEMON}")
settings = json.loads(path.read_text())
del settings["default-runtime"]
path.write_text(json.dumps(settings, indent=4))
"""
KILL = {
    "container": "sudo docker kill sparkform-{name}-{rank}",
    "swarm": "sudo docker ps -q --filter label=sparkform.service | xargs sudo docker kill",
    "native": "sudo systemctl kill -s KILL sparkform-{name}; "
    "timeout 20 sh -c 'while systemctl is-active -q sparkform-{name}; do sleep 0.1; done'",
}
REMOVE = {
    "container": "sudo docker rm -f sparkform-{name}-{rank}",
    "swarm": "sudo docker service rm sparkform-{name}-{rank}",
    "native": "sudo systemctl stop sparkform-{name}; sudo rm /var/lib/sparkform/members/{name}",
}


@dataclass
class Serving:
    """The service `name` has a rank on each of the first `ranks` nodes."""

    rack: RackHandle
    deployment: Deployment
    name: str
    runtime: str
    ranks: int
    before: Digest

    @property
    def head(self) -> str:
        return self.rack.hosts[0]

    @property
    def last_rank(self) -> tuple[int, str]:
        """The last rank and its node."""
        rank = self.ranks - 1
        return rank, self.rack.hosts[rank]

    def kill(self) -> None:
        """Kill the last rank from outside."""
        rank, host = self.last_rank
        self.rack.must(host, KILL[self.runtime].format(name=self.name, rank=rank))

    def remove(self) -> None:
        for rank, host in enumerate(self.rack.hosts[: self.ranks]):
            docker_host = self.head if self.runtime == "swarm" else host
            self.rack.must(docker_host, REMOVE[self.runtime].format(name=self.name, rank=rank))

    def forget_runtime(self, host: str) -> None:
        """A change of Docker's settings whose repair needs a restart of dockerd."""
        self.rack.must(host, "sudo python3 -", FORGET_RUNTIME)

    def has_restarted(self, outcome: PulumiOutcome) -> bool:
        """Whether the service was started again and no other step changed."""
        stop_steps = {name for name in outcome.changed_steps if "-stop_previous-" in name}
        return bool(stop_steps) and all(self.name in name for name in outcome.changed_steps)
