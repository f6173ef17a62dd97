"""Services in the plan: their steps, what stops them, what is refused, what is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from node.steps.launch_files import proof
from sparkform.config import Spec, parse_config
from sparkform.plan.launch_differences import differing, options, summary
from sparkform.plan.outputs import outputs
from sparkform.plan.rack import RackPlan, plan_rack
from sparkform.plan.secrets import Secrets
from sparkform.plan.service_steps import requests
from sparkform.report.facts import NodeDocument
from tests.support.planning import STACK, declared, installed, recorded
from tests.unit.plan.test_groups import launch

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
NO_SECRETS = Secrets()
BROUGHT = {"image", "model", "offer", "spread_key", "hub_client"}
Documents = dict[str, NodeDocument]


def spec_of(**keys: Any) -> Spec:
    return spec_with({"qwen": SERVICE | keys})


def spec_with(services: dict[str, Any]) -> Spec:
    return parse_config(declared("direct", 2).cluster.plain(), services)


def plan_of(spec: Spec, documents: Documents, secrets: Secrets = NO_SECRETS) -> RackPlan:
    made = plan_rack(spec, documents, STACK, installed(recorded("direct-2-up")), secrets)
    assert made.problems == ()
    return made


def with_steps(document: NodeDocument, **steps: Any) -> NodeDocument:
    named = {name.replace("__", ":"): seen for name, seen in steps.items()}
    return document.model_copy(update={"steps": {**document.steps, **named}})


def with_receipts(document: NodeDocument, receipts: dict[str, str]) -> NodeDocument:
    return document.model_copy(update={"receipts": {**document.receipts, **receipts}})


def after_up(plan: RackPlan, documents: Documents) -> Documents:
    """As the nodes report it once the plan was carried out."""
    service = plan.services["qwen"]
    found = dict(documents)
    for step in service.steps:
        receipts = {step.step: step.decision.document}
        found[step.node] = with_receipts(found[step.node], receipts)
    for one in service.launches:
        files = json.loads(service.before[-1].steps[one.node].decision.document)["want"]["files"]
        hashed = {
            file["path"]: {"mode": file["mode"], "sha256": sha(file["text"])} for file in files
        }
        member = {
            "kind": "container",
            "rank": str(one.rank),
            "token": service.token,
            "alive": True,
        }
        found[one.node] = with_steps(
            found[one.node],
            slot__qwen={"members": [member]},
            launch_files__qwen={"files": hashed, "secrets": {}},
        )
    return found


def sha(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def changing(plan: RackPlan) -> set[str]:
    """Without what brings models and images, which has tests of its own."""
    return {
        f"{one.node} {one.step}"
        for one in plan.steps
        if not one.decision.in_sync and one.step.partition(":")[0] not in BROUGHT
    }


@pytest.fixture
def up() -> Documents:
    documents = recorded("direct-2-up")
    return after_up(plan_of(spec_of(), documents), documents)


def test_a_new_service_is_files_slots_group_and_ready_and_nothing_of_the_rack() -> None:
    plan = plan_of(spec_of(), recorded("direct-2-up"))
    on_both = {
        f"spark-{at} {kind}:qwen" for at in (1, 2) for kind in ("launch_files", "slot", "ready")
    }
    assert changing(plan) == {*on_both, "spark-1 group:qwen"}
    assert plan.services["qwen"].lines == ("service qwen: does not run, will be started",)


def test_a_service_that_runs_as_declared_changes_nothing(up: Documents) -> None:
    plan = plan_of(spec_of(), up)
    assert (changing(plan), plan.services["qwen"].lines) == (set(), ())


def test_a_changed_setting_changes_the_service_alone_and_is_named(up: Documents) -> None:
    plan = plan_of(spec_of(maxSeqLen=4096), up)
    assert plan.services["qwen"].lines == ("service qwen: --max-model-len is unset, will be 4096",)
    assert {one.partition(":")[2] for one in changing(plan)} == {"qwen"}


def test_a_longer_wait_for_the_answer_restarts_nothing(up: Documents) -> None:
    plan = plan_of(spec_of(readyTimeoutSeconds=60), up)
    assert changing(plan) == {"spark-1 ready:qwen", "spark-2 ready:qwen"}
    assert plan.services["qwen"].lines == ()


def test_a_step_that_disturbs_a_serving_node_says_so_and_renews_the_service(
    up: Documents,
) -> None:
    seen: Any = json.loads(json.dumps(up["spark-2"].steps["docker_daemon"]))
    seen["default_runtime"] = "runc"
    up["spark-2"] = with_steps(up["spark-2"], docker_daemon=seen)
    plan = plan_of(spec_of(), up)
    step = plan.nodes["spark-2"]["docker_daemon"]
    assert step.lines[-1].endswith("; this stops service qwen")
    assert json.loads(step.decision.document)["stops"] == ["qwen"]
    because = "spark-2 docker_daemon changes, so it is stopped first and started again"
    assert plan.services["qwen"].lines == (f"service qwen: {because}",)


def test_a_step_that_disturbs_nothing_leaves_the_service_alone(up: Documents) -> None:
    seen = {"NCCL_IB_DISABLE": "1", "NCCL_IB_GID_INDEX": None}
    up["spark-2"] = with_steps(up["spark-2"], nccl_conf=seen)
    assert changing(plan_of(spec_of(), up)) == {"spark-2 nccl_conf"}


def test_a_step_on_a_node_that_serves_nothing_stops_nothing() -> None:
    documents = recorded("direct-2-up")
    seen: Any = json.loads(json.dumps(documents["spark-2"].steps["docker_daemon"]))
    documents["spark-2"] = with_steps(documents["spark-2"], docker_daemon=seen | {"dockerd": "x"})
    step = plan_of(spec_of(), documents).nodes["spark-2"]["docker_daemon"]
    assert "stops" not in json.loads(step.decision.document)
    assert "this stops" not in " ".join(step.lines)


def with_key(up: Documents, value: str) -> Documents:
    seen: Any = json.loads(json.dumps(up["spark-1"].steps["launch_files:qwen"]))
    proven = {"mode": "0400", "salt": SALT.hex(), "proof": proof(value, SALT)}
    return {
        **up,
        "spark-1": with_steps(
            up["spark-1"], launch_files__qwen=seen | {"secrets": {SECRET: proven}}
        ),
    }


def with_the_key_set() -> tuple[Secrets, Documents]:
    secrets, documents = Secrets(frozenset({"apiKey"}), {"apiKey": KEY}), recorded("direct-2-up")
    return secrets, after_up(plan_of(spec_of(), documents, secrets), documents)


def test_another_api_key_renews_the_service_and_the_same_one_does_not() -> None:
    secrets, up = with_the_key_set()
    assert changing(plan_of(spec_of(), with_key(up, KEY), secrets)) == set()
    plan = plan_of(spec_of(), with_key(up, "sk-another"), secrets)
    assert plan.services["qwen"].lines == (
        "service qwen: apiKey differs, will be started anew with it",
    )


def test_who_has_no_value_to_compare_takes_the_key_for_the_same() -> None:
    secrets, up = with_the_key_set()
    unknown = Secrets(secrets.names)
    assert changing(plan_of(spec_of(), with_key(up, "sk-another"), unknown)) == set()


def test_two_services_on_one_node_are_refused() -> None:
    one = {**SERVICE, "nodes": ["spark-1"], "tensorParallel": 1}
    spec = spec_with({"qwen": one, "gemma": {**one, "port": 8001}})
    (problem,) = plan_rack(spec, recorded("direct-2-up"), STACK, "any").problems
    assert str(problem).startswith("services.gemma.nodes: spark-1 runs service qwen already; ")


def test_a_service_in_the_swarm_has_a_slot_on_the_head_that_ends_only_its_own() -> None:
    one = {**SERVICE, "runtime": "swarm", "nodes": ["spark-2"], "tensorParallel": 1}
    plan = plan_of(spec_with({"qwen": one}), recorded("direct-2-up"))
    slots = plan.services["qwen"].slot.steps
    ranks = {node: json.loads(one.decision.document)["want"]["rank"] for node, one in slots.items()}
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
    service = plan_of(spec_with({"qwen": block}), recorded("direct-2-up")).services["qwen"]
    kinds = [stage.kind for stage in service.before if stage.steps]
    assert kinds == ["launch_keys", "launch_peers", "launch_files"]
    wants = {
        node: json.loads(one.decision.document)["want"]
        for node, one in service.before[kinds.index("launch_peers") - len(kinds)].steps.items()
    }
    assert wants["spark-2"]["kind"] == "authorized_keys"
    assert list(wants["spark-1"]["hosts"].values()) == ["spark-2"]


def test_nodes_are_asked_about_the_services_that_they_have_a_part_in() -> None:
    one = {**SERVICE, "nodes": ["spark-2"], "tensorParallel": 1}
    spec = spec_with({"qwen": one})
    assert requests(spec, "spark-2")["slot:qwen"]["service"] == "qwen"
    assert "launch_files:qwen" in requests(spec, "spark-2")
    # It may have run there before.
    assert list(requests(spec, "spark-1")) == ["slot:qwen"]


def test_the_outputs_name_the_first_services_url(up: Documents) -> None:
    spec = spec_of()
    told: Any = outputs(spec, plan_of(spec, up), up, [], {"qwen": {"decodeTokS": 12.5}})
    base = told["apiUrl"]
    assert base.endswith(":8000/v1")
    assert told["services"]["qwen"]["modelsUrl"] == f"{base}/models"
    assert told["services"]["qwen"]["predicted"] == {"decodeTokS": 12.5}


def test_without_services_the_outputs_say_so() -> None:
    spec, documents = declared("direct", 2), recorded("direct-2-up")
    told = outputs(spec, plan_of(spec, documents), documents, [], {})
    assert (told["services"], told["apiUrl"]) == ({}, None)


def test_a_launch_that_differs_is_told_apart_by_options_variables_and_files() -> None:
    before = summary(launch(argv=("serve", "m", "--port", "1"), environment={"A": "1"}))
    now = summary(launch(argv=("serve", "m", "--port", "2", "--fast"), environment={"B": "2"}))
    assert differing(before, now) == [
        "--port is 1, will be 2",
        "--fast is unset, will be set",
        "B is unset, will be 2",
        "A is 1, will be unset",
    ]
    assert differing(now, now) == []
    assert differing({}, now) == []


MPIRUN = ("mpirun", "--mca", "plm_rsh_agent", "/etc/ssh", "-x", "A", "trtllm-serve")


def test_of_a_long_command_only_what_differs_is_said() -> None:
    before = summary(launch(argv=(*MPIRUN, "acme/first", "--port", "1")))
    now = summary(launch(argv=(*MPIRUN, "acme/second", "--port", "1", "--fast")))
    assert differing(before, now) == [
        "command is acme/first, will be acme/second",
        "--fast is unset, will be set",
    ]


def test_what_no_word_tells_is_still_said_to_differ() -> None:
    assert differing(summary(launch()), summary(launch(stop_grace_s=9))) == [
        "how it is started differs"
    ]


def test_an_option_with_several_values_keeps_them_all() -> None:
    assert options(["x", "--a", "1", "2", "--b"]) == {"command": "x", "--a": "1 2", "--b": "set"}
