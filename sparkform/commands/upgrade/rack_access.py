"""What an upgrade asks of the nodes, and what it tells them to do."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from node.readings.measure import Unread
from node.verbs.updates import NodeUpdates, parse_updates
from sparkform.commands.declared import DeclaredStack
from sparkform.commands.live_report import find_passphrase_source, is_locked, observe_targets
from sparkform.commands.live_status import read_rack
from sparkform.commands.node_lines import print_node_lines
from sparkform.doctor import add_probes, diagnose
from sparkform.plan.targets import list_targets
from sparkform.report.rack_report import NodeError
from sparkform.ssh.agent import build_zipapp
from sparkform.ssh.target import Target, VerbRequest
from sparkform.ssh.watching import query_documents
from sparkform.status.rack_status import ServiceStatus
from sparkform.upgrade.decide import ServiceSight

UPDATES_LIMIT_S = 150.0
"""apt's simulation and fwupd take up to a minute each on a busy node."""

REQUEST = VerbRequest("updates", {})


@dataclass
class RackAccess:
    """`targets` are those that can be logged in to: a passphrase, where one is needed, is in them.
    `reasons`: why a node did not answer the last time."""

    declared: DeclaredStack
    targets: Sequence[Target]
    reasons: dict[str, str] = field(default_factory=dict)

    def read_updates(self, names: Sequence[str]) -> dict[str, NodeUpdates]:
        """Of the nodes that answer."""
        targets = [target for target in self.targets if target.name in names]
        requests = {target.name: REQUEST for target in targets}
        answers = query_documents(requests, targets, UPDATES_LIMIT_S)
        self.reasons = {
            name: answer.what for name, answer in answers.items() if isinstance(answer, NodeError)
        }
        return {
            name: parse_updates(text) for name, text in answers.items() if isinstance(text, str)
        }

    def read_services(self) -> tuple[ServiceSight, ...]:
        status = read_rack(self.declared).build_status()
        return tuple(build_sight(service) for service in status.services)

    def list_failing(self, node: str) -> dict[str, str]:
        """Doctor's checks that fail on a node: their names and what they say."""
        declaration = self.declared.declaration
        targets = add_probes(list_targets(declaration), declaration)
        observation = observe_targets(targets, find_passphrase_source(self.declared))
        sha256 = hashlib.sha256(build_zipapp()).hexdigest()
        checks = diagnose(declaration, self.declared.name, observation, sha256)
        rows = [check for check in checks if check.node == node and check.status == "fail"]
        return {check.name: check.message for check in rows}

    def order(self, node: str, request: VerbRequest) -> bool:
        """Whether the node took it."""
        targets = [target for target in self.targets if target.name == node]
        return not print_node_lines(targets, {node: request}, lambda: None)


def open_rack(declared: DeclaredStack) -> RackAccess:
    """The passphrase of the key is asked for once, where it is needed."""
    targets = list_targets(declared.declaration)
    observation = observe_targets(targets, lambda: None)
    locked = [
        target for target in targets if is_locked(observation.nodes[target.name].error, target)
    ]
    passphrase = find_passphrase_source(declared)() if locked else None
    if passphrase is not None:
        targets = tuple(replace(target, passphrase=passphrase) for target in targets)
    return RackAccess(declared, targets)


def build_sight(service: ServiceStatus) -> ServiceSight:
    """Pure. A rank of which nothing is known may run."""
    ranks = service.ranks
    is_unknown = any(isinstance(rank.state, Unread) for rank in ranks)
    is_alive = any(rank.is_there for rank in ranks)
    has_supervisor = service.state != "unsupervised" and not isinstance(service.state, Unread)
    return ServiceSight(
        name=service.name,
        nodes=tuple(rank.node for rank in ranks),
        is_alive=True if is_alive else None if is_unknown else False,
        is_kept=has_supervisor,
        is_serving=service.state in ("serving", "degraded"),
        is_paused=service.state == "paused",
    )
