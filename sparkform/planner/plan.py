"""The whole rack: every step of every node, decided. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from node.steps import STEPS
from node.steps.swarm import beside_head
from sparkform.errors import Problem
from sparkform.facts import NodeDocument
from sparkform.planner.claims import foreign_claims, missing_gpus
from sparkform.planner.links import check_want, partners, run_of
from sparkform.planner.models import ModelsPlan, plan_models, wishes
from sparkform.planner.native_steps import native_problems
from sparkform.planner.network import Documents, Network, plan_network
from sparkform.planner.peers import Ground
from sparkform.planner.receipts import Json
from sparkform.planner.steps import PlannedStep, StackName, held_step, plan_step
from sparkform.planner.topology import Cable, End
from sparkform.planner.wants import (
    ANCHOR,
    LABEL,
    NodeInputs,
    labels_want,
    own_steps,
    own_wants,
    swarm_want,
)
from sparkform.spec import Spec

CHECK = "fabric_check"
"""One instance a port: on a ring each node checks two cables."""


@dataclass(frozen=True)
class LinkPlan:
    """One cable and its check from each end."""

    cable: Cable
    checks: Mapping[str, PlannedStep]


@dataclass(frozen=True)
class SwarmPlan:
    """`members` holds every node, the head included."""

    members: Mapping[str, PlannedStep]
    token: PlannedStep
    labels: PlannedStep


@dataclass(frozen=True)
class RackPlan:
    """`nodes` maps each node to its own steps, the anchor first."""

    network: Network
    nodes: Mapping[str, Mapping[str, PlannedStep]]
    links: tuple[LinkPlan, ...] = ()
    swarm: SwarmPlan | None = None
    models: ModelsPlan = field(default_factory=ModelsPlan)
    problems: tuple[Problem, ...] = ()

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """Every step of the rack, in the order of the nodes."""
        steps = [step for own in self.nodes.values() for step in own.values()]
        steps += [step for link in self.links for step in link.checks.values()]
        if self.swarm:
            steps += [*self.swarm.members.values(), self.swarm.token, self.swarm.labels]
        return (*steps, *self.models.steps)


def plan_rack(spec: Spec, documents: Documents, stack: StackName, program_sha256: str) -> RackPlan:
    """Problems instead of steps where the declaration does not fit the machines.

    `program_sha256` is that of the node program that goes with this version.
    """
    network, problems = plan_network(spec, documents)
    problems += foreign_claims(spec, documents, stack)
    problems += missing_gpus(spec, documents)
    problems += native_problems(spec, documents)
    problems += wishes(spec)[1]
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
        nodes = {node.name: self._own_steps(node.name) for node in self.spec.nodes}
        links = tuple(self._link(cable, nodes) for cable in self.network.cables)
        swarm = self._swarm() if self.spec.swarm_enabled else None
        models = plan_models(self.spec, Ground(self.network, self.documents, self.stack))
        return RackPlan(self.network, nodes, links, swarm, models)

    def _is_there(self, node: str) -> bool:
        return node in self.network.management

    def _own_steps(self, node: str) -> dict[str, PlannedStep]:
        if not self._is_there(node):
            return {step: held_step(node, step) for step in own_steps(self.spec)}
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
        runs = {
            node: run_of(self.stack.owner(node, "fabric_address"), steps["fabric_address"].decision)
            for node, steps in nodes.items()
        }
        return LinkPlan(cable, {end.node: self._check(cable, end, runs) for end in cable.ends})

    def _check(self, cable: Cable, end: End, runs: Mapping[str, Json]) -> PlannedStep:
        node, step = end.node, f"{CHECK}:{end.port}"
        concerned = [node, *partners(cable, node, self.network)]
        if not all(map(self._is_there, concerned)):
            return held_step(node, step)
        mtu = None if self.spec.fabric_mtu == "inherit" else self.spec.fabric_mtu
        looked_at = {name: runs[name] for name in concerned}
        want = check_want(cable, node, self.network, self.documents, mtu, looked_at)
        return self._step(node, step, want)

    def _swarm(self) -> SwarmPlan:
        head = self.spec.head.name
        members = {node.name: self._member(node.name) for node in self.spec.nodes}
        formed = {"cluster": None, "swarm": members[head].decision.run}
        token = self._step(head, "swarm_token", formed)
        return SwarmPlan(members, token, self._labels(members))

    def _labels(self, members: Mapping[str, PlannedStep]) -> PlannedStep:
        there = {node: _hostname(node, self.documents[node]) for node in self.network.management}
        runs = {there[node]: members[node].decision.run for node in there}
        want = labels_want(there, self._hostnames_away(), runs)
        return self._step(self.spec.head.name, "swarm_labels", want)

    def _hostnames_away(self) -> list[str]:
        """By the label that they were given: nobody can ask them now."""
        found = self.documents[self.spec.head.name].facts.swarm
        away = {node.name for node in self.spec.nodes if not self._is_there(node.name)}
        listed = (found.nodes if found else None) or ()
        return sorted(one.hostname or "" for one in listed if one.labels.get(LABEL) in away)

    def _member(self, node: str) -> PlannedStep:
        if not self._is_there(node):
            return held_step(node, "swarm")
        seen = _mapping(self.documents[node].steps.get("swarm"))
        if node != self.spec.head.name:
            head = _mapping(self.documents[self.spec.head.name].steps.get("swarm"))
            cluster = head.get("cluster")
            seen = beside_head(seen, str(cluster) if cluster else None)
        want = swarm_want(self.spec, self.spec.node(node), self.network)
        return self._narrowed(node, "swarm", want, seen)

    def _step(self, node: str, step: str, want: Json) -> PlannedStep:
        return self._narrowed(node, step, want, _mapping(self.documents[node].steps.get(step)))

    def _narrowed(self, node: str, step: str, want: Json, seen: Json) -> PlannedStep:
        have = STEPS[step].narrow(seen, want)
        return self._decided(node, step, want, have, STEPS[step].differences(have, want))

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
