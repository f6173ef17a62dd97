"""The whole rack: every step of every node, decided. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from node.steps import STEPS
from node.steps.swarm import beside_head
from sparkform.errors import Problem
from sparkform.facts import NodeDocument
from sparkform.planner.links import check_want, run_of
from sparkform.planner.network import Documents, Network, plan_network
from sparkform.planner.receipts import Json
from sparkform.planner.steps import PlannedStep, StackName, plan_step
from sparkform.planner.topology import Cable
from sparkform.planner.wants import NodeInputs, labels_want, own_wants, swarm_want
from sparkform.spec import Spec

ANCHOR = "anchor"
CHECK = "fabric_check"
"""One instance a port: on a ring each node checks two cables."""


@dataclass(frozen=True)
class LinkPlan:
    """One cable and its check from each end; no checks while an end is away."""

    cable: Cable
    checks: Mapping[str, PlannedStep]


@dataclass(frozen=True)
class SwarmPlan:
    """`members` holds every node that is there, the head included."""

    members: Mapping[str, PlannedStep]
    token: PlannedStep
    labels: PlannedStep


@dataclass(frozen=True)
class RackPlan:
    """`nodes` maps each node that is there to its own steps, the anchor first."""

    network: Network
    nodes: Mapping[str, Mapping[str, PlannedStep]]
    links: tuple[LinkPlan, ...] = ()
    swarm: SwarmPlan | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """What every step that is not in sync says, in the order of the nodes."""
        steps = [step for own in self.nodes.values() for step in own.values()]
        steps += [step for link in self.links for step in link.checks.values()]
        if self.swarm:
            steps += [self.swarm.token, *self.swarm.members.values(), self.swarm.labels]
        return tuple(line for step in steps for line in step.lines)


def plan_rack(spec: Spec, documents: Documents, stack: StackName, program_sha256: str) -> RackPlan:
    """Problems instead of steps where the declaration does not fit the machines.

    `program_sha256` is that of the node program that goes with this version.
    """
    network, problems = plan_network(spec, documents)
    if problems:
        return RackPlan(network, {}, problems=tuple(problems))
    return _Planner(spec, documents, stack, program_sha256, network).plan()


@dataclass(frozen=True)
class _Planner:
    """One run's inputs, and the network that follows from them."""

    spec: Spec
    documents: Documents
    stack: StackName
    program_sha256: str
    network: Network

    def plan(self) -> RackPlan:
        nodes = {node: self._own_steps(node) for node in self.network.management}
        links = tuple(self._link(cable, nodes) for cable in self.network.cables)
        swarm = self._swarm() if self.spec.swarm_enabled else None
        return RackPlan(self.network, nodes, links, swarm)

    def _own_steps(self, node: str) -> dict[str, PlannedStep]:
        inputs = NodeInputs(self.spec.node(node), self.documents[node])
        steps = {ANCHOR: self._anchor(node)}
        for step, want in own_wants(self.spec, inputs, self.network.fabric[node]).items():
            steps[step] = self._step(node, step, want)
        if "fabric_address" in steps:
            confirmed = {"fabric_address": steps["fabric_address"].decision.run}
            steps["fabric_confirm"] = self._step(node, "fabric_confirm", confirmed)
        return steps

    def _anchor(self, node: str) -> PlannedStep:
        want = {"sha256": self.program_sha256}
        have = self.documents[node].steps.get(ANCHOR)
        words = [] if have == want else [_program_words(have)]
        return self._decided(node, ANCHOR, want, have, words)

    def _link(self, cable: Cable, nodes: Mapping[str, Mapping[str, PlannedStep]]) -> LinkPlan:
        ends = [end.node for end in cable.ends]
        if any(node not in nodes for node in ends):
            return LinkPlan(cable, {})
        runs = {
            node: run_of(self.stack.owner(node, "fabric_address"), steps["fabric_address"].decision)
            for node, steps in nodes.items()
        }
        mtu = None if self.spec.fabric_mtu == "inherit" else self.spec.fabric_mtu
        wants = {
            node: check_want(cable, node, self.network, self.documents, mtu, runs) for node in ends
        }
        checks = {
            end.node: self._step(end.node, f"{CHECK}:{end.port}", wants[end.node])
            for end in cable.ends
        }
        return LinkPlan(cable, checks)

    def _swarm(self) -> SwarmPlan:
        head = self.spec.head.name
        members = {node: self._member(node) for node in self.network.management}
        formed = {"cluster": None, "swarm": members[head].decision.run}
        hostnames = {node: _hostname(node, self.documents[node]) for node in members}
        return SwarmPlan(
            members,
            token=self._step(head, "swarm_token", formed),
            labels=self._step(head, "swarm_labels", labels_want(hostnames)),
        )

    def _member(self, node: str) -> PlannedStep:
        seen = _mapping(self.documents[node].steps.get("swarm"))
        if node != self.spec.head.name:
            head = _mapping(self.documents[self.spec.head.name].steps.get("swarm"))
            cluster = head.get("cluster")
            seen = beside_head(seen, str(cluster) if cluster else None)
        return self._step(
            node, "swarm", swarm_want(self.spec, self.spec.node(node), self.network), seen
        )

    def _step(self, node: str, step: str, want: Json, seen: Json | None = None) -> PlannedStep:
        observed = _mapping(self.documents[node].steps.get(step)) if seen is None else seen
        module = STEPS[step]
        have = module.narrow(observed, want)
        return self._decided(node, step, want, have, module.differences(have, want))

    def _decided(
        self, node: str, step: str, want: Json, have: object, words: list[str]
    ) -> PlannedStep:
        receipt = self.documents[node].receipts.get(step)
        return plan_step(self.stack, node, step, want, have, receipt, words)


def _mapping(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _hostname(node: str, document: NodeDocument) -> str:
    return document.facts.host.hostname if document.facts.host else node


def _program_words(have: object) -> str:
    if not isinstance(have, dict) or not have.get("sha256"):
        return "the node program is not installed, will be"
    return "the node program is of another version, will be replaced"
