"""Services in the plan: their steps, what stops them, what is refused, what is said."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from node.steps import supervise
from node.steps.launch_files import compute_proof
from sparkform.config import Declaration, parse_config
from sparkform.plan.launch_differences import describe_differences, parse_options, summarize_launch
from sparkform.plan.outputs import build_outputs
from sparkform.plan.rack import plan_rack
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.secrets import StackSecrets
from sparkform.plan.service_steps import list_requests
from sparkform.plan.services import ServicePlan
from sparkform.report.facts import NodeReport
from tests.support.planning import STACK, build_declaration, get_agent_sha256, load_reports
from tests.unit.plan.test_runs import build_launch

SERVICE = {
    "engine": "vllm",
    "runtime": "container",
    "image": "vllm/vllm-openai:v0.14.0",
    "modelPath": "/srv/model",
    "servedName": "tiny",
    "port": 8000,
    "gpuMemoryUtilization": 0.5,
    "tensorParallel": 2,
}
KEY, SALT = "sk-not-a-real-key", bytes(16)
SECRET = "/var/lib/sparkform/services/qwen/secrets/api-key"
NO_SECRETS = StackSecrets()
TRANSFER_STEPS = {"image", "model", "offer", "transfer_key", "hub_client"}
Reports = dict[str, NodeReport]


def build_service_declaration(**keys: Any) -> Declaration:
    return build_declaration_with({"qwen": SERVICE | keys})


def build_declaration_with(services: dict[str, Any]) -> Declaration:
    return parse_config(build_declaration("direct", 2).cluster.to_plain(), services)


def build_plan(
    declaration: Declaration, reports: Reports, secrets: StackSecrets = NO_SECRETS
) -> RackPlan:
    plan = plan_rack(
        declaration, reports, STACK, get_agent_sha256(load_reports("direct-2-up")), secrets
    )
    assert plan.problems == ()
    return plan


def add_states(report: NodeReport, **steps: Any) -> NodeReport:
    named = {name.replace("__", ":"): state for name, state in steps.items()}
    return report.model_copy(update={"steps": {**report.steps, **named}})


def add_receipts(report: NodeReport, receipts: dict[str, str]) -> NodeReport:
    return report.model_copy(update={"receipts": {**report.receipts, **receipts}})


def apply_plan(plan: RackPlan, reports: Reports) -> Reports:
    """As the nodes report it once the plan was carried out."""
    service = plan.services["qwen"]
    applied = dict(reports)
    for step in service.steps:
        receipts = {step.step: step.decision.document}
        applied[step.node] = add_receipts(applied[step.node], receipts)
    for launch in service.launches:
        files = json.loads(service.preparation[-1].steps[launch.node].decision.document)["want"][
            "files"
        ]
        digests = {
            file["path"]: {"mode": file["mode"], "sha256": hash_text(file["text"])}
            for file in files
        }
        member = {
            "kind": "container",
            "name": launch.name,
            "rank": launch.rank,
            "token": service.token,
            "alive": True,
        }
        applied[launch.node] = add_states(
            applied[launch.node],
            stop_previous__qwen={"members": [member]},
            launch_files__qwen={"files": digests, "secrets": {}},
            supervise__qwen=describe_supervised(service, launch.node),
            supervision_key__qwen={"token": service.token},
        )
    return applied


def describe_supervised(service: ServicePlan, node: str, **report: Any) -> dict[str, Any]:
    """What a node reports of a supervisor that runs as planned; `report`: how the service is."""
    (stage,) = [stage for stage in service.after if stage.kind == "supervise"]
    want = stage.steps[node].want
    assert isinstance(want, supervise.Want)
    return {
        "target": hash_text(supervise.render_target(want.target)),
        "unit": hash_text(supervise.render_unit(want.service)),
        "has_key": True,
        "starts_at_boot": True,
        "report": {
            "service": want.service,
            "token": service.token,
            "is_active": True,
            "phase": "serving",
            "epoch": 1,
            **report,
        },
    }


def hash_text(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def list_changing(plan: RackPlan) -> set[str]:
    """Without what brings models and images, which has tests of its own."""
    return {
        f"{step.node} {step.step}"
        for step in plan.steps
        if not step.decision.in_sync and step.step.partition(":")[0] not in TRANSFER_STEPS
    }


@pytest.fixture
def up() -> Reports:
    reports = load_reports("direct-2-up")
    return apply_plan(build_plan(build_service_declaration(), reports), reports)


def test_a_new_service_is_files_stops_group_and_ready_and_nothing_of_the_rack() -> None:
    plan = build_plan(build_service_declaration(), load_reports("direct-2-up"))
    on_both = {
        f"spark-{number} {kind}:qwen"
        for number in (1, 2)
        for kind in ("launch_files", "stop_previous", "ready", "supervise")
    }
    on_head = {"spark-1 group:qwen", "spark-1 supervision_key:qwen"}
    assert list_changing(plan) == on_both | on_head
    assert plan.services["qwen"].lines == ("service qwen: does not run, will be started",)


def test_a_service_that_runs_as_declared_changes_nothing(up: Reports) -> None:
    plan = build_plan(build_service_declaration(), up)
    assert (list_changing(plan), plan.services["qwen"].lines) == (set(), ())


def test_a_service_whose_nodes_lost_all_that_they_recorded_gets_a_token_that_it_never_had() -> None:
    declaration, bare = build_service_declaration(), load_reports("direct-2-up")
    tokens = []
    for next_run in (7, 9):
        reports = {
            name: report.model_copy(update={"next_run": next_run}) for name, report in bare.items()
        }
        tokens.append(build_plan(declaration, reports).services["qwen"].token)
    assert len(set(tokens)) == 2
    assert len({token.rpartition("-")[0] for token in tokens}) == 1


def test_a_changed_setting_changes_the_service_alone_and_is_named(up: Reports) -> None:
    plan = build_plan(build_service_declaration(maxSeqLen=4096), up)
    assert plan.services["qwen"].lines == ("service qwen: --max-model-len is unset, will be 4096",)
    assert {step.partition(":")[2] for step in list_changing(plan)} == {"qwen"}


def test_a_longer_wait_for_the_answer_restarts_nothing(up: Reports) -> None:
    plan = build_plan(build_service_declaration(readyTimeoutSeconds=60), up)
    changing = {
        f"spark-{number} {kind}:qwen" for number in (1, 2) for kind in ("ready", "supervise")
    }
    assert list_changing(plan) == changing
    assert plan.services["qwen"].lines == ()


def test_a_step_that_disturbs_a_serving_node_says_so_and_renews_the_service(
    up: Reports,
) -> None:
    state: Any = json.loads(json.dumps(up["spark-2"].steps["docker_daemon"]))
    state["default_runtime"] = "runc"
    up["spark-2"] = add_states(up["spark-2"], docker_daemon=state)
    plan = build_plan(build_service_declaration(), up)
    step = plan.nodes["spark-2"]["docker_daemon"]
    assert step.lines[-1].endswith("; this stops service qwen")
    assert json.loads(step.decision.document)["stops"] == ["qwen"]
    because = "spark-2 docker_daemon changes, so it is stopped first and started again"
    assert plan.services["qwen"].lines == (f"service qwen: {because}",)


def test_a_step_that_disturbs_nothing_leaves_the_service_alone(up: Reports) -> None:
    state = {"NCCL_IB_DISABLE": "1", "NCCL_IB_GID_INDEX": None}
    up["spark-2"] = add_states(up["spark-2"], nccl_conf=state)
    assert list_changing(build_plan(build_service_declaration(), up)) == {"spark-2 nccl_conf"}


def test_a_step_on_a_node_that_serves_nothing_stops_nothing() -> None:
    reports = load_reports("direct-2-up")
    state: Any = json.loads(json.dumps(reports["spark-2"].steps["docker_daemon"]))
    reports["spark-2"] = add_states(reports["spark-2"], docker_daemon=state | {"dockerd": "x"})
    step = build_plan(build_service_declaration(), reports).nodes["spark-2"]["docker_daemon"]
    assert "stops" not in json.loads(step.decision.document)
    assert "this stops" not in " ".join(step.lines)


def add_key(up: Reports, value: str) -> Reports:
    state: Any = json.loads(json.dumps(up["spark-1"].steps["launch_files:qwen"]))
    proven = {"mode": "0400", "salt": SALT.hex(), "proof": compute_proof(value, SALT)}
    return {
        **up,
        "spark-1": add_states(
            up["spark-1"], launch_files__qwen=state | {"secrets": {SECRET: proven}}
        ),
    }


def apply_with_key() -> tuple[StackSecrets, Reports]:
    secrets, reports = (
        StackSecrets(frozenset({"apiKey"}), {"apiKey": KEY}),
        load_reports("direct-2-up"),
    )
    return secrets, apply_plan(build_plan(build_service_declaration(), reports, secrets), reports)


def test_another_api_key_renews_the_service_and_the_same_one_does_not() -> None:
    secrets, up = apply_with_key()
    assert (
        list_changing(build_plan(build_service_declaration(), add_key(up, KEY), secrets)) == set()
    )
    plan = build_plan(build_service_declaration(), add_key(up, "sk-another"), secrets)
    assert plan.services["qwen"].lines == (
        "service qwen: apiKey differs, will be restarted with it",
    )


def test_who_has_no_value_to_compare_takes_the_key_for_the_same() -> None:
    secrets, up = apply_with_key()
    unknown = StackSecrets(secrets.names)
    assert (
        list_changing(build_plan(build_service_declaration(), add_key(up, "sk-another"), unknown))
        == set()
    )


def test_services_on_one_node_leave_each_other_running() -> None:
    service = {**SERVICE, "nodes": ["spark-1"], "tensorParallel": 1}
    services = {"qwen": service, "gemma": {**service, "port": 8001}}
    plan = build_plan(build_declaration_with(services), load_reports("direct-2-up"))
    neighbours = {
        name: json.loads(step.decision.document)["want"].get("neighbours")
        for name, planned in plan.services.items()
        for step in planned.stop_previous.steps.values()
    }
    assert neighbours == {"qwen": ["gemma"], "gemma": ["qwen"]}


def test_a_service_alone_on_its_nodes_names_no_neighbour() -> None:
    plan = build_plan(build_service_declaration(), load_reports("direct-2-up"))
    for step in plan.services["qwen"].stop_previous.steps.values():
        assert "neighbours" not in json.loads(step.decision.document)["want"]


def test_a_service_in_the_swarm_has_a_stop_on_the_head_that_ends_only_its_own() -> None:
    step = {**SERVICE, "runtime": "swarm", "nodes": ["spark-2"], "tensorParallel": 1}
    plan = build_plan(build_declaration_with({"qwen": step}), load_reports("direct-2-up"))
    stop_steps = plan.services["qwen"].stop_previous.steps
    ranks = {
        node: json.loads(step.decision.document)["want"]["rank"]
        for node, step in stop_steps.items()
    }
    assert ranks == {"spark-1": None, "spark-2": 0}
    assert plan.docker_nodes == ("spark-1",)
    assert plan.swarm is not None
    assert plan.swarm.network is not None


def test_launch_keys_come_before_those_who_trust_them() -> None:
    block = {
        "engine": "trtllm",
        "runtime": "container",
        "image": "nvcr.io/nvidia/tensorrt-llm/release:1.3.0rc5",
        "modelPath": "/srv/model",
        "port": 8000,
        "tensorParallel": 2,
    }
    service = build_plan(
        build_declaration_with({"qwen": block}), load_reports("direct-2-up")
    ).services["qwen"]
    kinds = [stage.kind for stage in service.preparation if stage.steps]
    assert kinds == ["launch_keys", "launch_peers", "launch_files"]
    wants = {
        node: json.loads(step.decision.document)["want"]
        for node, step in service.preparation[
            kinds.index("launch_peers") - len(kinds)
        ].steps.items()
    }
    assert wants["spark-2"]["kind"] == "authorized_keys"
    assert list(wants["spark-1"]["hosts"].values()) == ["spark-2"]


def test_nodes_are_asked_about_the_services_that_they_have_a_part_in() -> None:
    service = {**SERVICE, "nodes": ["spark-2"], "tensorParallel": 1}
    declaration = build_declaration_with({"qwen": service})
    assert list_requests(declaration, "spark-2")["stop_previous:qwen"]["service"] == "qwen"
    assert "launch_files:qwen" in list_requests(declaration, "spark-2")
    # It may have run there before.
    assert list(list_requests(declaration, "spark-1")) == ["stop_previous:qwen", "supervise:qwen"]


def test_the_outputs_name_the_first_services_url_and_what_is_unproven(up: Reports) -> None:
    declaration = build_service_declaration()
    plan = build_plan(declaration, up)
    values: Any = build_outputs(declaration, plan)
    assert values["apiUrl"].endswith(":8000/v1")
    assert (
        values["summary"][0] == f"qwen: {declaration.get_served_name('qwen')} at {values['apiUrl']}"
    )
    (launch, *others) = plan.launches["qwen"]
    unproven = replace(launch, unproven=("first", "second"))
    values = build_outputs(declaration, replace(plan, launches={"qwen": (unproven, *others)}))
    assert (
        values["summary"][-1] == "unproven on real Sparks: 2 points are named by `sparkform plan`"
    )


def test_without_services_there_is_no_output() -> None:
    declaration, reports = build_declaration("direct", 2), load_reports("direct-2-up")
    assert build_outputs(declaration, build_plan(declaration, reports)) == {}


def test_a_launch_that_differs_is_told_apart_by_options_variables_and_files() -> None:
    before = summarize_launch(
        build_launch(argv=("serve", "m", "--port", "1"), environment={"A": "1"})
    )
    after = summarize_launch(
        build_launch(argv=("serve", "m", "--port", "2", "--fast"), environment={"B": "2"})
    )
    assert describe_differences(before, after) == [
        "--port is 1, will be 2",
        "--fast is unset, will be set",
        "B is unset, will be 2",
        "A is 1, will be unset",
    ]
    assert describe_differences(after, after) == []
    assert describe_differences({}, after) == []


MPIRUN = ("mpirun", "--mca", "plm_rsh_agent", "/etc/ssh", "-x", "A", "trtllm-serve")


def test_of_a_long_command_only_what_differs_is_said() -> None:
    before = summarize_launch(build_launch(argv=(*MPIRUN, "acme/first", "--port", "1")))
    after = summarize_launch(build_launch(argv=(*MPIRUN, "acme/second", "--port", "1", "--fast")))
    assert describe_differences(before, after) == [
        "command is acme/first, will be acme/second",
        "--fast is unset, will be set",
    ]


def test_what_no_word_tells_is_still_said_to_differ() -> None:
    assert describe_differences(
        summarize_launch(build_launch()), summarize_launch(build_launch(stop_grace_s=9))
    ) == ["its start differs"]


def test_an_option_with_several_values_keeps_them_all() -> None:
    assert parse_options(["x", "--a", "1", "2", "--b"]) == {
        "command": "x",
        "--a": "1 2",
        "--b": "set",
    }
