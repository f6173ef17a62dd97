"""What is planned for a gateway: nothing unless declared, then all of it, and what clients read."""

from __future__ import annotations

import pytest

from node.changes.declared_files import ObservedFile
from node.changes.file import compute_digest
from node.host.typed_json import to_fields, to_json
from node.steps import gateway, supervise
from node.supervision.target import GatewayPeer
from sparkform.config import Declaration, parse_config
from sparkform.gateway.paths import EDGE, get_container_name
from sparkform.plan.gateway import GatewayPlan
from sparkform.plan.outputs import build_outputs
from sparkform.plan.rack import plan_rack
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.secrets import NO_SECRETS, StackSecrets
from sparkform.report.docker_facts import Container
from sparkform.report.facts import ListeningPort, NodeReport
from tests.support.planning import STACK, build_declaration, load_reports

ENGINE = {
    "engine": "vllm",
    "runtime": "container",
    "image": "nvcr.io/nvidia/vllm:26.05.post1-py3",
    "port": 8000,
}
SERVICES = {
    "chat": ENGINE | {"model": "openai/gpt-oss-120b", "nodes": ["spark-1"]},
    "draft": ENGINE | {"model": "openai/gpt-oss-20b", "nodes": ["spark-2"]},
}
KEYS = StackSecrets(frozenset({"gatewayKeys"}))
BOTH = StackSecrets(frozenset({"gatewayKeys", "apiKey"}))
Reports = dict[str, NodeReport]


def declare(block: object, monitoring: object = None, services: object = None) -> Declaration:
    cluster = build_declaration("direct", 2).cluster.to_plain()
    return parse_config(cluster, SERVICES if services is None else services, monitoring, block)


def plan(
    block: object,
    secrets: StackSecrets = KEYS,
    reports: Reports | None = None,
    monitoring: object = None,
) -> RackPlan:
    declaration = declare(block, monitoring)
    return plan_rack(declaration, reports or load_reports("direct-2-up"), STACK, "new", secrets)


def get_gateway(planned: RackPlan) -> GatewayPlan:
    assert planned.problems == ()
    assert planned.gateway is not None
    return planned.gateway


def read_file(planned: RackPlan, name: str) -> str:
    want = get_gateway(planned).files.want
    assert isinstance(want, gateway.Want)
    return next(file.text for file in want.files if file.path.endswith(f"/{name}"))


def test_without_the_block_nothing_is_planned() -> None:
    planned = plan(None, StackSecrets())
    assert planned.gateway is None
    assert [step.step for step in planned.steps if "gateway" in step.step] == []
    assert "gateway" not in planned.images


def test_one_node_runs_four_processes_of_one_image() -> None:
    planned = plan({"node": "spark-2"})
    door = get_gateway(planned)
    assert door.files.node == "spark-2"
    assert set(planned.images["gateway"].steps) == {"spark-2"}
    assert [container.program for container in door.containers] == [
        *("edge", "router-small", "router-medium", "router-large")
    ]
    assert {container.node for container in door.containers} == {"spark-2"}
    assert len({container.image for container in door.containers}) == 1
    assert "spark-2" in planned.docker_nodes
    want = door.files.want
    assert isinstance(want, gateway.Want)
    assert want.containers[-1] == get_container_name(EDGE), "the edge is told last"


def test_it_asks_loopback_on_its_node_and_management_addresses_elsewhere() -> None:
    planned = plan({})
    router = read_file(planned, "router-small.cfg")
    first, second = (planned.network.management[name].ip for name in ("spark-1", "spark-2"))
    assert "server engine 127.0.0.1:8000" in router
    assert f"server engine {second}:8000" in router
    assert f"agent-check agent-addr {first} agent-port" in router
    assert f"agent-check agent-addr {second} agent-port" in router


def test_supervisors_answer_the_gateway_and_nobody_else() -> None:
    planned = plan({})
    first = str(planned.network.management["spark-1"].ip)
    for plain, peer in ((plan(None, StackSecrets()), None), (planned, GatewayPeer(first, 60.0))):
        wants = [step.want for step in plain.steps if step.step.startswith("supervise:")]
        assert len(wants) == 2
        for want in wants:
            assert isinstance(want, supervise.Want)
            assert want.target.gateway == peer


def test_the_engines_key_is_sent_only_where_there_is_one() -> None:
    assert get_gateway(plan({})).secrets == ("gatewayKeys",)
    assert get_gateway(plan({}, BOTH)).secrets == ("gatewayKeys", "apiKey")
    assert "Authorization" not in read_file(plan({}), "router-small.cfg")
    assert "Authorization" in read_file(plan({}, BOTH), "router-small.cfg")


@pytest.mark.parametrize(
    ("certificate", "scheme", "secrets", "has_authority"),
    [
        ("made", "https", (), True),
        ("own", "https", ("gatewayCertificate", "gatewayCertificateKey"), False),
        ("none", "http", (), False),
    ],
)
def test_a_certificate_is_made_given_or_none(
    certificate: str, scheme: str, secrets: tuple[str, ...], has_authority: bool
) -> None:
    known = StackSecrets(frozenset({"gatewayKeys", *secrets}))
    door = get_gateway(plan({"tls": {"certificate": certificate}}, known))
    assert door.url.startswith(f"{scheme}://")
    assert door.secrets == ("gatewayKeys", *secrets)
    assert (door.authority is not None) == has_authority
    assert any("in clear" in remark for remark in door.remarks) == (certificate == "none")


def test_a_made_certificate_names_all_by_which_clients_know_it() -> None:
    planned = plan({"tls": {"names": ["models.example.org"]}})
    extensions = read_file(planned, "certificate.cnf")
    own = ["IP:10.0.0.1", f"IP:{planned.network.management['spark-1'].ip}"]
    names = ["DNS:spark-1", *own, "DNS:models.example.org", "DNS:localhost"]
    assert f"subjectAltName = {', '.join(dict.fromkeys(names))}\n" in extensions


def test_clients_read_one_url_and_the_direct_ones_are_gone() -> None:
    declaration, planned = declare({}), plan({})
    outputs = build_outputs(declaration, planned)
    address = planned.network.management["spark-1"].ip
    assert outputs["apiUrl"] == f"https://{address}:8443/v1"
    assert ":8000" not in str(outputs)


def test_a_port_that_stays_open_beside_it_is_named() -> None:
    (remark,) = get_gateway(plan({}, BOTH)).remarks
    assert remark.startswith("gateway: service draft is also reached past it")
    assert "with the stack's apiKey" in remark
    (remark,) = get_gateway(plan({})).remarks
    assert "without a key" in remark


def test_a_preview_says_what_clients_will_notice() -> None:
    lines = get_gateway(plan({})).files.lines
    assert lines == (
        "spark-1 gateway: the gateway is not set up, will be",
        "spark-1 gateway: clients reach 2 services by one address and key",
    )
    changed = get_gateway(plan({"aliases": {"best": "chat"}}, reports=build_set_up())).files.lines
    assert "spark-1 gateway: /var/lib/sparkform/gateway/models.map is changed, will be written" in (
        changed
    )
    assert "no connection is dropped" in changed[-1]
    assert "with a key that is removed" in changed[-1]


def build_set_up() -> Reports:
    """As after an `up` with an empty block."""
    reports = load_reports("direct-2-up")
    step = get_gateway(plan({})).files
    want = step.want
    assert isinstance(want, gateway.Want)
    files = {file.path: ObservedFile(file.mode, compute_digest(file.text)) for file in want.files}
    secrets = dict.fromkeys(gateway.list_secret_paths(want), "0600")
    observed = gateway.Observed(files, secrets, is_valid=True, is_taken_up=True)
    report = reports["spark-1"]
    states = {**report.steps, "gateway": to_fields(observed)}
    return reports | {"spark-1": report.model_copy(update={"steps": states})}


def test_a_gateway_as_planned_is_left_alone() -> None:
    step = get_gateway(plan({}, reports=build_set_up())).files
    assert to_json(step.have) == to_json(step.want)
    assert step.lines[0] == "spark-1 gateway: already in desired state; will be adopted"


def test_keys_are_required_where_it_is_known_which_secrets_there_are() -> None:
    (problem,) = plan({}, StackSecrets()).problems
    assert problem.path == "sparkform:gatewayKeys"
    assert "--path sparkform:gatewayKeys.NAME" in str(problem)
    own = plan({"tls": {"certificate": "own"}}, KEYS).problems
    assert [problem.path for problem in own] == [
        "sparkform:gatewayCertificate",
        "sparkform:gatewayCertificateKey",
    ]
    assert plan({}, NO_SECRETS).problems == ()


@pytest.mark.parametrize(("state", "count"), [("running", 0), ("exited", 1), (None, 1)])
def test_a_port_of_another_program_is_refused(state: str | None, count: int) -> None:
    reports = load_reports("direct-2-up")
    facts = reports["spark-1"].facts
    listener = ListeningPort(protocol="tcp", address="0.0.0.0", port=8443, process="nginx")
    name = get_container_name(EDGE)
    own = Container(id="1", name=name, image="haproxy", state=state, labels={})
    changed = facts.model_copy(update={"ports": (listener,), "containers": (own,) if state else ()})
    reports["spark-1"] = reports["spark-1"].model_copy(update={"facts": changed})
    problems = plan({}, reports=reports).problems
    assert len(problems) == count
    for problem in problems:
        assert str(problem).startswith("gateway.port: is used by nginx on spark-1 (got 8443)")


def test_an_address_of_another_machine_is_refused() -> None:
    (problem,) = plan({"address": "192.0.2.9"}).problems
    assert str(problem).startswith("gateway.address: is no address of spark-1")


def test_containers_of_another_image_are_said_to_be_replaced() -> None:
    reports = load_reports("direct-2-up")
    facts = reports["spark-1"].facts
    own = Container(
        id="1", name=get_container_name(EDGE), image="haproxy:2.6", state="running", labels={}
    )
    changed = facts.model_copy(update={"containers": (own,)})
    reports["spark-1"] = reports["spark-1"].model_copy(update={"facts": changed})
    remarks = get_gateway(plan({}, reports=reports)).remarks
    assert any("are replaced, and connections under way end" in remark for remark in remarks)


def test_monitoring_reads_each_process_and_the_certificate() -> None:
    planned = plan({}, monitoring={"node": "spark-2"})
    assert planned.problems == ()
    watching, own = planned.network.management["spark-2"].ip, planned.network.management["spark-1"]
    edge = read_file(planned, "edge.cfg")
    assert f"bind {own.ip}:9101" in edge
    assert f"deny unless {{ src {watching} }}" in edge
    assert planned.monitoring is not None
    want = planned.monitoring.files.want
    text = next(file.text for file in want.files if file.path.endswith("prometheus.yml"))  # type: ignore[attr-defined]
    assert f"- {own.ip}:9101" in text
    assert "/router-large/metrics" in text
    certificates = {
        node: step.want.certificates.get("gateway")  # type: ignore[attr-defined]
        for node, step in planned.monitoring.telemetry.items()
    }
    assert certificates == {"spark-1": gateway.TLS, "spark-2": None}


def test_a_models_adapters_are_served_under_their_names() -> None:
    block = SERVICES["chat"] | {"adapters": [{"name": "sql", "model": "example/sql-lora"}]}
    declaration = declare({}, services={"chat": block})
    planned = plan_rack(declaration, load_reports("direct-2-up"), STACK, "new", KEYS)
    assert "sql chat\n" in read_file(planned, "models.map")


def test_replicas_are_servers_of_one_name() -> None:
    block = SERVICES["chat"] | {"nodes": ["spark-1", "spark-2"], "replicas": 2}
    declaration = declare({}, services={"chat": block})
    planned = plan_rack(declaration, load_reports("direct-2-up"), STACK, "new", KEYS)
    router = read_file(planned, "router-small.cfg")
    assert router.count("\nbackend model_") == 1
    second = planned.network.management["spark-2"].ip
    assert "server engine 127.0.0.1:8000" in router
    assert f"server engine {second}:8000" in router
    assert read_file(planned, "models.map") == "openai/gpt-oss-120b chat\n"
    outputs = build_outputs(declaration, planned)
    assert str(outputs["summary"]).count("openai/gpt-oss-120b") == 1
