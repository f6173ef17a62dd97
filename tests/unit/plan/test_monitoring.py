"""What is planned for monitoring: nothing unless declared, then all of it, and nothing twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from node.host.typed_json import to_fields
from node.steps import image, monitoring, telemetry
from sparkform.config import parse_config
from sparkform.plan.monitoring import MonitoringPlan
from sparkform.plan.monitoring_containers import find_troubles
from sparkform.plan.rack import plan_rack
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.secrets import StackSecrets
from sparkform.plan.steps import PlannedStep
from sparkform.report.docker_facts import Container
from sparkform.report.facts import ListeningPort, NodeReport
from sparkform.report.receipts import decide, parse_receipt
from tests.support.planning import STACK, build_declaration, load_reports

SERVICE = {
    "engine": "vllm",
    "runtime": "container",
    "image": "nvcr.io/nvidia/vllm:26.05.post1-py3",
    "model": "openai/gpt-oss-120b",
    "port": 8000,
    "nodes": ["spark-2"],
}
WEBHOOK = StackSecrets(frozenset({"monitoringWebhook"}))


def plan(
    block: object,
    secrets: StackSecrets = StackSecrets(),  # noqa: B008
    reports: dict[str, NodeReport] | None = None,
    **service: object,
) -> RackPlan:
    cluster = build_declaration("direct", 2).cluster.to_plain()
    declaration = parse_config(cluster, {"chat": SERVICE | service}, block)
    planned = plan_rack(declaration, reports or load_reports("direct-2-up"), STACK, "new", secrets)
    assert planned.problems == ()
    return planned


def get_monitoring(planned: RackPlan) -> MonitoringPlan:
    assert planned.monitoring is not None
    return planned.monitoring


def test_without_the_block_nothing_is_planned() -> None:
    planned = plan(None)
    assert planned.monitoring is None
    assert [step.step for step in planned.steps if "monitoring" in step.step] == []


def test_each_node_collects_and_one_watches() -> None:
    planned = plan({})
    watching = get_monitoring(planned)
    assert set(watching.telemetry) == {"spark-1", "spark-2"}
    assert watching.files.node == "spark-1"
    want = watching.telemetry["spark-1"].want
    assert isinstance(want, telemetry.Want)
    assert len(want.links) == 2, "both halves of the cable"
    assert {(plan.program, plan.node) for plan in watching.containers} == {
        ("node-exporter", "spark-1"),
        ("node-exporter", "spark-2"),
        ("prometheus", "spark-1"),
    }
    assert set(planned.docker_nodes) == {"spark-1", "spark-2"}


def test_a_webhook_brings_alertmanager_and_its_secret() -> None:
    watching = get_monitoring(plan({"node": "spark-2"}, WEBHOOK))
    assert watching.secrets == ("monitoringWebhook",)
    assert "alertmanager" in {plan.program for plan in watching.containers}
    want = watching.files.want
    assert isinstance(want, monitoring.Want)
    assert [secret.mode for secret in want.secrets] == ["0600"]
    assert watching.files.node == "spark-2"


def test_images_are_pulled_once_and_the_exporters_is_copied() -> None:
    planned = plan({})
    exporter = planned.images["monitoring-node-exporter"]
    assert exporter.source == "spark-1"
    kinds = {}
    for node, step in exporter.steps.items():
        assert isinstance(step.want, image.Want)
        kinds[node] = step.want.source.kind
    assert kinds == {"spark-1": "hub", "spark-2": "peer"}
    assert set(planned.images["monitoring-prometheus"].steps) == {"spark-1"}


@pytest.mark.parametrize(("bind", "target"), [("0.0.0.0", "management"), ("127.0.0.1", None)])
def test_an_engine_is_read_where_the_monitoring_node_reaches_it(
    bind: str, target: str | None
) -> None:
    planned = plan({}, bind=bind)
    watching = get_monitoring(planned)
    want = watching.files.want
    assert isinstance(want, monitoring.Want)
    config = next(file.text for file in want.files if file.path.endswith("prometheus.yml"))
    address = f"{planned.network.management['spark-2'].ip}:8000"
    assert (address in config) == (target is not None)
    assert bool(watching.remarks) == (target is None)
    for remark in watching.remarks:
        assert remark.startswith("metrics of service chat are not read: it listens on 127.0.0.1")


def test_a_node_whose_state_is_as_planned_is_left_alone() -> None:
    reports = load_reports("direct-2-up")
    step = get_monitoring(plan({})).telemetry["spark-1"]
    want = step.want
    assert isinstance(want, telemetry.Want)
    observed = telemetry.Observed(telemetry.render_config(want), telemetry.RUNNING)
    report = reports["spark-1"]
    reports["spark-1"] = report.model_copy(
        update={"steps": {**report.steps, "telemetry": to_fields(observed)}}
    )
    again = get_monitoring(plan({}, reports=reports)).telemetry["spark-1"]
    assert again.lines == ("spark-1 telemetry: already in desired state; will be adopted",)


def test_a_node_that_is_away_is_held_and_not_watched() -> None:
    cluster = build_declaration("direct", 2).cluster.to_plain()
    cluster["nodes"][1]["away"] = True
    reports = {"spark-1": load_reports("direct-2-up")["spark-1"]}
    planned = plan_rack(parse_config(cluster, {}, {}), reports, STACK, "new")
    watching = get_monitoring(planned)
    assert watching.telemetry["spark-2"].is_held
    assert {plan.node for plan in watching.containers} == {"spark-1"}


def test_a_port_that_another_program_uses_is_refused_by_name() -> None:
    reports = load_reports("direct-2-up")
    facts = reports["spark-1"].facts
    foreign = ListeningPort(protocol="tcp", address="0.0.0.0", port=9090, process="cockpit-ws")
    taken = facts.model_copy(update={"ports": (*(facts.ports or ()), foreign)})
    ours = Container(
        id="1",
        name="sparkform-monitoring-prometheus",
        image="prometheus",
        state="running",
        labels={},
    )
    for containers, problems in (
        ((), ["monitoring.ports.prometheus: is used by cockpit-ws on spark-1 (got 9090)"]),
        ((ours,), []),
        (None, []),
    ):
        state = taken.model_copy(update={"containers": containers})
        reports["spark-1"] = reports["spark-1"].model_copy(update={"facts": state})
        declaration = parse_config(build_declaration("direct", 2).cluster.to_plain(), {}, {})
        plan = plan_rack(declaration, reports, STACK, "new")
        assert [str(problem).partition(";")[0] for problem in plan.problems] == problems


def test_alertmanagers_port_matters_only_where_it_runs() -> None:
    reports = load_reports("direct-2-up")
    facts = reports["spark-1"].facts
    foreign = ListeningPort(protocol="tcp", address="0.0.0.0", port=9093, process="other")
    taken = facts.model_copy(update={"ports": (*(facts.ports or ()), foreign), "containers": ()})
    reports["spark-1"] = reports["spark-1"].model_copy(update={"facts": taken})
    declaration = parse_config(build_declaration("direct", 2).cluster.to_plain(), {}, {})
    assert plan_rack(declaration, reports, STACK, "new").problems == ()
    (problem,) = plan_rack(declaration, reports, STACK, "new", WEBHOOK).problems
    assert str(problem).startswith("monitoring.ports.alertmanager: is used by other on spark-1")


def test_an_address_of_another_machine_is_refused() -> None:
    reports = load_reports("direct-2-up")
    interfaces = reports["spark-1"].facts.interfaces or ()
    own = next(text for interface in interfaces for text in interface.addresses if "." in text)
    cluster = build_declaration("direct", 2).cluster.to_plain()
    for address in ("127.0.0.1", "::1", "0.0.0.0", "::", own.partition("/")[0]):
        declaration = parse_config(cluster, {}, {"address": address})
        assert plan_rack(declaration, reports, STACK, "new").problems == (), address
    declaration = parse_config(cluster, {}, {"address": "203.0.113.9"})
    (problem,) = plan_rack(declaration, reports, STACK, "new").problems
    assert str(problem).startswith("monitoring.address: is no address of spark-1 (got 203.0.113.9)")


def build_container(state: str) -> Container:
    name = "sparkform-monitoring-prometheus"
    return Container(id="1", name=name, image="prometheus", state=state, labels={})


@pytest.mark.parametrize(
    ("containers", "troubles"),
    [
        ((build_container("running"),), []),
        # Its step starts it again.
        ((build_container("exited"),), []),
        (None, []),
        (
            (build_container("restarting"),),
            [
                "spark-1: container sparkform-monitoring-prometheus ends again and again; "
                "`sudo docker logs sparkform-monitoring-prometheus` says why"
            ],
        ),
        (
            (),
            [
                "spark-1: container sparkform-monitoring-prometheus is gone; "
                "`pulumi up --refresh` makes it anew"
            ],
        ),
    ],
)
def test_a_container_that_no_step_puts_right_is_said(
    containers: tuple[Container, ...] | None, troubles: list[str]
) -> None:
    reports = load_reports("direct-2-up")
    facts = reports["spark-1"].facts.model_copy(update={"containers": containers})
    reports["spark-1"] = reports["spark-1"].model_copy(update={"facts": facts})
    watching = get_monitoring(plan({}, reports=reports))
    assert watching.troubles == (), "it is yet to come"
    (prometheus,) = [plan for plan in watching.containers if plan.program == "prometheus"]
    applied = mark_as_applied(watching.files)
    found = find_troubles((prometheus,), watching.telemetry, applied, reports)
    assert [str(trouble) for trouble in found] == troubles


def mark_as_applied(step: PlannedStep) -> PlannedStep:
    want = to_fields(step.want)
    receipt = parse_receipt(decide(step.decision.owner, want, want, None, 1).document)
    return replace(step, decision=decide(step.decision.owner, want, want, receipt, 2))
