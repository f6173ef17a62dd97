"""The whole rack: every step of every node, decided. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from node.steps import (
    HaveT,
    ObservedT,
    StepSpec,
    WantT,
    fabric_check,
    swarm,
    swarm_labels,
    swarm_network,
    swarm_token,
)
from sparkform.config import Declaration
from sparkform.fabric.links import build_check_want, build_run_reference, list_partners
from sparkform.fabric.network import Network, Reports, plan_network
from sparkform.fabric.topology import Cable, End
from sparkform.launch import Launch, plan_launches
from sparkform.plan.claims import find_foreign_claims, find_missing_gpus, find_shared_nodes
from sparkform.plan.disturbance import ServicesByNode, list_stopping_steps, mark_stopped_services
from sparkform.plan.images import plan_images
from sparkform.plan.models import list_required_models, plan_models
from sparkform.plan.native_steps import find_native_problems
from sparkform.plan.peers import PlanContext
from sparkform.plan.rack_plan import LinkPlan, RackPlan, SwarmPlan
from sparkform.plan.secrets import NO_SECRETS, StackSecrets
from sparkform.plan.service_steps import ServiceInputs
from sparkform.plan.services import (
    ServicePlan,
    ServicePlanner,
    get_service_state,
    list_services_by_node,
)
from sparkform.plan.steps import PlannedStep, StackName, describe_step, hold_step, plan_step
from sparkform.plan.wants import (
    AGENT,
    LABEL,
    NodeInputs,
    build_labels_want,
    build_swarm_want,
    list_node_steps,
)
from sparkform.report.facts import NodeReport
from sparkform.report.receipts import Json

CHECK = "fabric_check"
"""One instance a port: on a ring each node checks two cables."""


def plan_rack(
    declaration: Declaration,
    reports: Reports,
    stack: StackName,
    program_sha256: str,
    secrets: StackSecrets = NO_SECRETS,
) -> RackPlan:
    """Problems instead of steps where the declaration does not fit the machines.

    `program_sha256` is that of the node program that goes with this version.
    """
    network, problems = plan_network(declaration, reports)
    problems += find_foreign_claims(declaration, reports, stack)
    problems += find_missing_gpus(declaration, reports)
    problems += find_shared_nodes(declaration)
    problems += find_native_problems(declaration, reports)
    problems += list_required_models(declaration)[1]
    if problems:
        return RackPlan(network, {}, problems=tuple(problems))
    launches = plan_launches(declaration, network, reports, secrets.names)
    if launches.problems:
        return RackPlan(network, {}, problems=launches.problems)
    planner = _RackPlanner(declaration, reports, stack, program_sha256, network)
    return planner.plan(launches.services, secrets)


@dataclass(frozen=True)
class _RackPlanner:
    """One run's inputs, and the network that follows from them."""

    declaration: Declaration
    reports: Reports
    stack: StackName
    program_sha256: str
    network: Network

    def plan(self, launches: Mapping[str, tuple[Launch, ...]], secrets: StackSecrets) -> RackPlan:
        states = {
            name: get_service_state(name, self.reports, self.declaration.head.name)
            for name in launches
        }
        rack = self._plan_transfers(
            self._plan_nodes_and_links(list_services_by_node(states, self.reports)), launches
        )
        planned = {
            name: self._plan_service(name, service_launches, rack, secrets)
            for name, service_launches in launches.items()
        }
        return replace(rack, services=planned)

    def _plan_transfers(
        self, rack: RackPlan, launches: Mapping[str, tuple[Launch, ...]]
    ) -> RackPlan:
        """With what brings models and images to the nodes."""
        context = PlanContext(self.network, self.reports, self.stack)
        models, images = plan_models(self.declaration, context), plan_images(launches, context)
        sources = [transfer.source for transfer in models.models if transfer.offer]
        sources += [transfer.source for transfer in images.values() if transfer.offer]
        keys = {node: context.plan_key(node) for node in dict.fromkeys(sources)}
        return replace(rack, models=models, images=images, keys=keys)

    def _plan_nodes_and_links(self, serves: ServicesByNode) -> RackPlan:
        """Without services, but for what the rack's own steps stop of them."""
        nodes = {
            node.name: {
                name: mark_stopped_services(step, serves)
                for name, step in self._plan_node_steps(node.name).items()
            }
            for node in self.declaration.nodes
        }
        links = tuple(self._plan_link(cable, nodes) for cable in self.network.cables)
        swarm = self._plan_swarm(serves) if self.declaration.swarm_enabled else None
        return RackPlan(self.network, nodes, links, swarm)

    def _plan_service(
        self, name: str, launches: tuple[Launch, ...], rack: RackPlan, secrets: StackSecrets
    ) -> ServicePlan:
        inputs = ServiceInputs(
            declaration=self.declaration,
            stack=self.stack,
            network=self.network,
            reports=self.reports,
            service=name,
            launches=launches,
        )
        stale = secrets.list_stale(launches, self.reports)
        planner = ServicePlanner(inputs, self._plan_narrowed, stale)
        return planner.plan(planner.plan_preparation(), list_stopping_steps(name, rack.steps))

    def _is_present(self, node: str) -> bool:
        return node in self.network.management

    def _plan_node_steps(self, node: str) -> dict[str, PlannedStep]:
        if not self._is_present(node):
            has_fabric = self.declaration.cluster.fabric.topology != "none"
            names = [AGENT, *(step.spec.name for step in list_node_steps(has_fabric))]
            return {name: hold_step(node, name) for name in names}
        declared, fabric = self.declaration.get_node(node), self.network.fabric[node]
        steps = {AGENT: self._plan_agent(node)}
        for step in list_node_steps(bool(fabric)):
            runs = {name: planned.decision.run for name, planned in steps.items()}
            inputs = NodeInputs(self.declaration, declared, self.reports[node], fabric, runs)
            name = step.spec.name
            steps[name] = self._plan_step(node, name, step.spec, step.build_want(inputs))
        return steps

    def _plan_agent(self, node: str) -> PlannedStep:
        want = {"sha256": self.program_sha256}
        have = self.reports[node].steps.get(AGENT)
        phrases = [] if have == want else [_describe_agent_difference(have)]
        receipt = self.reports[node].receipts.get(AGENT)
        return describe_step(self.stack, node, AGENT, want, have, receipt, phrases)

    def _plan_link(self, cable: Cable, nodes: Mapping[str, Mapping[str, PlannedStep]]) -> LinkPlan:
        runs = {
            node: build_run_reference(
                self.stack.owner(node, "fabric_address"), steps["fabric_address"].decision
            )
            for node, steps in nodes.items()
        }
        return LinkPlan(cable, {end.node: self._plan_check(cable, end, runs) for end in cable.ends})

    def _plan_check(self, cable: Cable, end: End, runs: Mapping[str, Json]) -> PlannedStep:
        node, step = end.node, f"{CHECK}:{end.port}"
        concerned = [node, *list_partners(cable, node, self.network)]
        if not all(map(self._is_present, concerned)):
            return hold_step(node, step)
        mtu = None if self.declaration.fabric_mtu == "inherit" else self.declaration.fabric_mtu
        addressed_by = {name: runs[name] for name in concerned}
        document = build_check_want(cable, node, self.network, self.reports, mtu, addressed_by)
        want = fabric_check.SPEC.parse_want(document)
        return self._plan_step(node, step, fabric_check.SPEC, want)

    def _plan_swarm(self, serves: ServicesByNode) -> SwarmPlan:
        head = self.declaration.head.name
        members = {
            node.name: mark_stopped_services(self._plan_member(node.name), serves)
            for node in self.declaration.nodes
        }
        run = members[head].decision.run
        token = self._plan_step(head, "swarm_token", swarm_token.SPEC, swarm_token.Want(None, run))
        is_used = any(service.runtime == "swarm" for service in self.declaration.services.values())
        network = (
            self._plan_step(head, "swarm_network", swarm_network.SPEC, swarm_network.Want(run))
            if is_used
            else None
        )
        return SwarmPlan(members, token, self._plan_labels(members), network)

    def _plan_labels(self, members: Mapping[str, PlannedStep]) -> PlannedStep:
        hostnames = {
            node: _get_hostname(node, self.reports[node]) for node in self.network.management
        }
        runs = {hostnames[node]: members[node].decision.run for node in hostnames}
        want = build_labels_want(hostnames, self._list_hostnames_away(), runs)
        return self._plan_step(self.declaration.head.name, "swarm_labels", swarm_labels.SPEC, want)

    def _list_hostnames_away(self) -> list[str]:
        """By the label that they were given: nobody can ask them now."""
        swarm = self.reports[self.declaration.head.name].facts.swarm
        away = {node.name for node in self.declaration.nodes if not self._is_present(node.name)}
        listed = (swarm.nodes if swarm else None) or ()
        return sorted(
            swarm_node.hostname or ""
            for swarm_node in listed
            if swarm_node.labels.get(LABEL) in away
        )

    def _plan_member(self, node: str) -> PlannedStep:
        if not self._is_present(node):
            return hold_step(node, "swarm")
        observed = self._read_observed(node, "swarm", swarm.SPEC)
        head = self.declaration.head.name
        if node != head:
            cluster = self._read_observed(head, "swarm", swarm.SPEC).cluster
            observed = swarm.add_head_cluster(observed, cluster)
        want = build_swarm_want(self.declaration, self.declaration.get_node(node), self.network)
        return self._plan_narrowed(node, "swarm", swarm.SPEC, want, observed)

    def _plan_step(
        self, node: str, step: str, spec: StepSpec[WantT, ObservedT, HaveT], want: WantT
    ) -> PlannedStep:
        return self._plan_narrowed(node, step, spec, want, self._read_observed(node, step, spec))

    def _plan_narrowed(
        self,
        node: str,
        step: str,
        spec: StepSpec[WantT, ObservedT, HaveT],
        want: WantT,
        observed: ObservedT,
    ) -> PlannedStep:
        receipt = self.reports[node].receipts.get(step)
        have = spec.narrow(observed, want)
        return plan_step(self.stack, node, step, spec, want, have, receipt)

    def _read_observed(
        self, node: str, step: str, spec: StepSpec[WantT, ObservedT, HaveT]
    ) -> ObservedT:
        return spec.read_observed(self.reports[node].steps.get(step))


def _get_hostname(node: str, report: NodeReport) -> str:
    return report.facts.host.hostname if report.facts.host else node


def _describe_agent_difference(have: object) -> str:
    if not isinstance(have, dict) or not have.get("sha256"):
        return "the node program is not installed, will be"
    return "the node program is of another version, will be replaced"
