"""The whole rack: every step of every node, decided. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from node.steps import STEPS
from node.steps.swarm import beside_head
from sparkform.config import Spec
from sparkform.errors import Problem
from sparkform.fabric.links import check_want, partners, run_of
from sparkform.fabric.network import Documents, Network, plan_network
from sparkform.fabric.topology import Cable, End
from sparkform.launch import Launch, plan_launches
from sparkform.plan.claims import foreign_claims, missing_gpus, shared_nodes
from sparkform.plan.disturbance import Serving, stopping, stops_of
from sparkform.plan.images import ImagePlan, plan_images
from sparkform.plan.models import ModelsPlan, plan_models, wishes
from sparkform.plan.native_steps import native_problems
from sparkform.plan.peers import Ground
from sparkform.plan.secrets import NO_SECRETS, Secrets
from sparkform.plan.service_steps import Inputs
from sparkform.plan.services import ServicePlan, ServicePlanner, seen, serving
from sparkform.plan.steps import PlannedStep, StackName, held_step, plan_step
from sparkform.plan.wants import (
    ANCHOR,
    LABEL,
    NodeInputs,
    labels_want,
    own_steps,
    own_wants,
    swarm_want,
)
from sparkform.report.facts import NodeDocument
from sparkform.report.receipts import Json

CHECK = "fabric_check"
"""One instance a port: on a ring each node checks two cables."""


@dataclass(frozen=True)
class LinkPlan:
    """One cable and its check from each end."""

    cable: Cable
    checks: Mapping[str, PlannedStep]


@dataclass(frozen=True)
class SwarmPlan:
    """`members` holds every node, the head included; `network` is for services in the Swarm."""

    members: Mapping[str, PlannedStep]
    token: PlannedStep
    labels: PlannedStep
    network: PlannedStep | None = None

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        found = (*self.members.values(), self.token, self.labels)
        return (*found, self.network) if self.network else found


@dataclass(frozen=True)
class RackPlan:
    """`nodes` maps each node to its own steps, the anchor first. `images` by service; `keys` by the
    node from which others fetch models or images."""

    network: Network
    nodes: Mapping[str, Mapping[str, PlannedStep]]
    links: tuple[LinkPlan, ...] = ()
    swarm: SwarmPlan | None = None
    models: ModelsPlan = field(default_factory=ModelsPlan)
    images: Mapping[str, ImagePlan] = field(default_factory=dict)
    keys: Mapping[str, PlannedStep] = field(default_factory=dict)
    services: Mapping[str, ServicePlan] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """Every step of the rack, in the order of the nodes, and then those of the services."""
        steps = [step for own in self.nodes.values() for step in own.values()]
        steps += [step for link in self.links for step in link.checks.values()]
        if self.swarm:
            steps += self.swarm.steps
        steps += [*self.keys.values(), *self.models.steps]
        steps += [step for image in self.images.values() for step in image.all_steps]
        steps += [step for service in self.services.values() for step in service.steps]
        return tuple(steps)

    @property
    def docker_nodes(self) -> tuple[str, ...]:
        """The nodes on which Docker is asked to start ranks: for the Swarm's, the head."""
        names: dict[str, None] = {}
        for launch in (one for service in self.services.values() for one in service.launches):
            if launch.runtime == "container":
                names[launch.node] = None
            if launch.runtime == "swarm" and self.swarm:
                names[self.swarm.token.node] = None
        return tuple(names)


def plan_rack(
    spec: Spec,
    documents: Documents,
    stack: StackName,
    program_sha256: str,
    secrets: Secrets = NO_SECRETS,
) -> RackPlan:
    """Problems instead of steps where the declaration does not fit the machines.

    `program_sha256` is that of the node program that goes with this version.
    """
    network, problems = plan_network(spec, documents)
    problems += foreign_claims(spec, documents, stack)
    problems += missing_gpus(spec, documents)
    problems += shared_nodes(spec)
    problems += native_problems(spec, documents)
    problems += wishes(spec)[1]
    if problems:
        return RackPlan(network, {}, problems=tuple(problems))
    launches = plan_launches(spec, network, documents, secrets.names)
    if launches.problems:
        return RackPlan(network, {}, problems=launches.problems)
    planner = _Planner(spec, documents, stack, program_sha256, network)
    return planner.plan(launches.services, secrets)


@dataclass(frozen=True)
class _Planner:
    """One run's inputs, and the network that follows from them."""

    spec: Spec
    documents: Documents
    stack: StackName
    program_sha256: str
    network: Network

    def plan(self, launches: Mapping[str, tuple[Launch, ...]], secrets: Secrets) -> RackPlan:
        now = {name: seen(name, self.documents, self.spec.head.name) for name in launches}
        rack = self._spread(self._rack(serving(now, self.documents)), launches)
        planned = {name: self._service(name, own, rack, secrets) for name, own in launches.items()}
        return replace(rack, services=planned)

    def _spread(self, rack: RackPlan, launches: Mapping[str, tuple[Launch, ...]]) -> RackPlan:
        """With what brings models and images to the nodes."""
        ground = Ground(self.network, self.documents, self.stack)
        models, images = plan_models(self.spec, ground), plan_images(launches, ground)
        given = [one.source for one in models.models if one.offer]
        given += [one.source for one in images.values() if one.offer]
        keys = {node: ground.key(node) for node in dict.fromkeys(given)}
        return replace(rack, models=models, images=images, keys=keys)

    def _rack(self, serves: Serving) -> RackPlan:
        """Without services, but for what the rack's own steps stop of them."""
        nodes = {
            node.name: {
                name: stopping(step, serves) for name, step in self._own_steps(node.name).items()
            }
            for node in self.spec.nodes
        }
        links = tuple(self._link(cable, nodes) for cable in self.network.cables)
        swarm = self._swarm(serves) if self.spec.swarm_enabled else None
        return RackPlan(self.network, nodes, links, swarm)

    def _service(
        self, name: str, launches: tuple[Launch, ...], rack: RackPlan, secrets: Secrets
    ) -> ServicePlan:
        inputs = Inputs(
            spec=self.spec,
            stack=self.stack,
            network=self.network,
            documents=self.documents,
            service=name,
            launches=launches,
        )
        stale = secrets.stale(launches, self.documents)
        planner = ServicePlanner(inputs, self._narrowed, stale)
        return planner.plan(planner.before(), stops_of(name, rack.steps))

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

    def _swarm(self, serves: Serving) -> SwarmPlan:
        head = self.spec.head.name
        members = {node.name: stopping(self._member(node.name), serves) for node in self.spec.nodes}
        run = members[head].decision.run
        token = self._step(head, "swarm_token", {"cluster": None, "swarm": run})
        is_used = any(one.runtime == "swarm" for one in self.spec.services.values())
        network = self._step(head, "swarm_network", {"swarm": run}) if is_used else None
        return SwarmPlan(members, token, self._labels(members), network)

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
