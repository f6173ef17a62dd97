"""What the engine is asked for to run services: order, replacement, placement, secrets."""

from __future__ import annotations

import base64
import json
from typing import Any

import pulumi
import pulumi_docker as docker
import pytest
from pulumi_command import remote

from components.docker_hosts import build_ssh_options
from components.inference_service import InferenceService, ServiceContext, build_services
from components.rack import Rack, build_rack
from components.run_log import RunLog
from sparkform.config import Declaration
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.secrets import StackSecrets
from sparkform.report.rack_report import QueryResult
from sparkform.ssh.target import Target
from tests.support.planning import load_reports
from tests.support.registrations import Registered, RegistrationMonitor, record_registrations
from tests.unit.plan.test_services import (
    SERVICE,
    apply_plan,
    build_declaration_with,
    build_plan,
    build_service_declaration,
)

KEY = "sk-not-a-real-key"
HOST_KEY = "ssh-ed25519 AAAAC3Nz"
REPORT = QueryResult.model_validate(
    {
        "error": {"kind": "failed", "what": "not asked", "remedy": "none"},
        "host_key": HOST_KEY,
        "login": "agent",
    }
)


SECRETS = StackSecrets(frozenset({"apiKey"}), {"apiKey": KEY})


def register(**keys: Any) -> RegistrationMonitor:
    """What a service on two nodes asks for, in a stack that has a key."""
    declaration = build_service_declaration(**keys)
    return register_plan(declaration, build_plan(declaration, load_reports("direct-2-up"), SECRETS))


def register_plan(declaration: Declaration, plan: RackPlan) -> RegistrationMonitor:
    with record_registrations() as record:

        @pulumi.runtime.test  # type: ignore[untyped-decorator]
        def build() -> None:
            rack = Rack(declaration, ())
            options = pulumi.ResourceOptions(parent=rack)
            log = RunLog([node.name for node in declaration.nodes], list(plan.services))
            resources = build_rack(
                rack,
                declaration,
                plan,
                "the program",
                build_connections(declaration),
                lambda key: None,
                log,
            )
            context = ServiceContext(
                rack=resources,
                head="spark-1",
                owner="sparkform/rec",
                docker={
                    name: docker.Provider(f"{name}-docker", host=f"ssh://{name}", opts=options)
                    for name in plan.docker_nodes
                },
                secret=lambda name: pulumi.Output.secret(KEY),
                log=log,
            )
            components = {
                name: InferenceService(name, declaration, (), options)
                for name in declaration.declared_services
            }
            build_services(components, plan.services, declaration, context)

        build()
    return record


def build_connections(declaration: Declaration) -> dict[str, remote.ConnectionArgs]:
    return {
        node.name: remote.ConnectionArgs(host=node.host, host_key=HOST_KEY)
        for node in declaration.nodes
    }


@pytest.fixture(scope="module")
def container() -> RegistrationMonitor:
    return register()


@pytest.fixture(scope="module")
def swarm() -> RegistrationMonitor:
    return register(runtime="swarm")


def list_ranks(record: RegistrationMonitor) -> list[Registered]:
    return [record.by_name[f"qwen-rank-{rank}"] for rank in (0, 1)]


STOP_STEPS = {"spark-1-stop_previous-qwen", "spark-2-stop_previous-qwen"}


def test_every_rank_waits_for_all_stops_and_comes_and_goes_with_its_own(
    container: RegistrationMonitor,
) -> None:
    for rank, registered in enumerate(list_ranks(container)):
        stop_step = f"spark-{rank + 1}-stop_previous-qwen"
        assert registered.depends_on >= STOP_STEPS
        assert registered.deleted_with == stop_step
        assert registered.replace_with == {stop_step}
        assert (registered.deletes_first, registered.provider) == (
            False,
            f"spark-{rank + 1}-docker",
        )


def test_a_rank_that_runs_as_declared_is_deleted_first_where_pulumi_is_asked_to_replace_it() -> (
    None
):
    declaration, reports = build_service_declaration(), load_reports("direct-2-up")
    up = apply_plan(build_plan(declaration, reports, SECRETS), reports)
    running = register_plan(declaration, build_plan(declaration, up, SECRETS))
    assert [registered.deletes_first for registered in list_ranks(running)] == [True, True]
    assert {running.by_name[name].deletes_first for name in STOP_STEPS} == {None}


def test_swarm_ranks_and_their_files_come_and_go_with_the_heads_stop(
    swarm: RegistrationMonitor,
) -> None:
    stored = [
        registered
        for registered in swarm.by_name.values()
        if registered.type.startswith("docker:index/s")
    ]
    assert len(stored) == 2 + 2 + 1
    for registered in stored:
        assert (registered.deleted_with, registered.provider) == (
            "spark-1-stop_previous-qwen",
            "spark-1-docker",
        )
        assert registered.replace_with == {"spark-1-stop_previous-qwen"}
        assert registered.deletes_first is False


def test_a_stop_is_made_anew_for_each_run_and_begins_by_clearing_the_node(
    container: RegistrationMonitor,
) -> None:
    for name in STOP_STEPS:
        inputs = container.by_name[name].inputs
        document = json.loads(inputs["stdin"])
        teardown = f"{name.partition('-stop_previous')[0]}-teardown-id"
        assert inputs["triggers"] == [document["want"]["token"], teardown]
        assert container.by_name[name].deletes_first is None
        assert "node.pyz clear qwen < /dev/null && " in inputs["create"]
        assert "clear" not in inputs["update"]


def test_no_other_step_is_made_anew_for_a_run(container: RegistrationMonitor) -> None:
    other_commands = [
        command for command in container.list_commands() if command.name not in STOP_STEPS
    ]
    for command in other_commands:
        if "triggers" in command.inputs:
            assert command.inputs["triggers"] == [f"{command.name[:7]}-teardown-id"]


def test_the_group_follows_the_ranks_and_the_wait_follows_the_group(
    container: RegistrationMonitor,
) -> None:
    registered = container.by_name
    assert {"qwen-rank-0", "qwen-rank-1"} <= registered["spark-1-group-qwen"].depends_on
    for number in (1, 2):
        assert "spark-1-group-qwen" in registered[f"spark-{number}-ready-qwen"].depends_on


def test_a_service_is_supervised_once_it_answers_with_a_key_that_is_secret(
    container: RegistrationMonitor,
) -> None:
    registered = container.by_name
    key = registered["spark-1-supervision_key-qwen"]
    assert key.secret_outputs == {"stdout"}
    assert {"spark-1-ready-qwen", "spark-2-ready-qwen"} <= key.depends_on
    for number in (1, 2):
        step = registered[f"spark-{number}-supervise-qwen"]
        assert "spark-1-supervision_key-qwen" in step.depends_on
        document, _, secret = step.inputs["stdin"]["value"].partition("\n")
        assert json.loads(document)["want"]["target"]["node"] == f"spark-{number}"
        assert secret == "printed by spark-1-supervision_key-qwen"


def test_stops_stand_on_the_rack_and_on_the_launchs_files(container: RegistrationMonitor) -> None:
    for name in STOP_STEPS:
        dependencies = container.by_name[name].depends_on
        assert {"spark-1-launch_files-qwen", "spark-2-launch_files-qwen"} <= dependencies
        assert {"spark-1-docker_daemon", "spark-2-fabric_confirm"} <= dependencies


def test_engines_that_share_a_node_start_one_after_the_other() -> None:
    alone = {**SERVICE, "nodes": ["spark-1"], "tensorParallel": 1}
    services = {"qwen": alone, "phi": {**alone, "nodes": ["spark-2"]}, "gemma": alone}
    declaration = build_declaration_with(
        {
            name: {**service, "port": 8000 + number}
            for number, (name, service) in enumerate(services.items())
        }
    )
    plan = build_plan(declaration, load_reports("direct-2-up"), SECRETS)
    registered = register_plan(declaration, plan).by_name
    stop_steps = {
        name: next(each for each in registered if each.endswith(f"-stop_previous-{name}"))
        for name in services
    }
    waits = {name: registered[step].depends_on for name, step in stop_steps.items()}
    assert "spark-1-ready-qwen" in waits["gemma"]
    assert not {"spark-1-ready-qwen", "spark-1-ready-gemma"} & waits["phi"]


def test_ranks_bear_the_labels_by_which_they_are_found(container: RegistrationMonitor) -> None:
    for rank, registered in enumerate(list_ranks(container)):
        labels = {item["label"]: item["value"] for item in registered.inputs["labels"]}
        assert labels["sparkform.rank"] == str(rank)
        assert (labels["sparkform.service"], labels["sparkform.owner"]) == ("qwen", "sparkform/rec")
        token = json.loads(container.by_name["spark-1-stop_previous-qwen"].inputs["stdin"])["want"][
            "token"
        ]
        assert labels["sparkform.token"] == token


def test_no_rank_restarts_alone(container: RegistrationMonitor, swarm: RegistrationMonitor) -> None:
    for registered in list_ranks(container):
        # Pulumi starts a rank with its group, and never one that it sees stopped later.
        keys = ("restart", "mustRun", "start")
        assert [registered.inputs[key] for key in keys] == ["no", False, True]
    for registered in list_ranks(swarm):
        policy = registered.inputs["taskSpec"]["restartPolicy"]
        assert policy == {"condition": "none", "delay": "0s", "window": "0s"}


def test_a_swarm_rank_is_placed_by_label_with_one_gpu_on_the_swarms_host_network(
    swarm: RegistrationMonitor,
) -> None:
    for rank, registered in enumerate(list_ranks(swarm)):
        task = registered.inputs["taskSpec"]
        assert task["placement"]["constraints"] == [
            f"node.labels.sparkform.node == spark-{rank + 1}"
        ]
        generic = task["resources"]["reservation"]["genericResources"]
        assert generic == {"discreteResourcesSpecs": ["NVIDIA_GPU=1"]}
        assert task["networksAdvanceds"] == [{"id": "printed by spark-1-swarm_network"}]
        labels = {item["label"]: item["value"] for item in task["containerSpec"]["labels"]}
        assert labels["sparkform.rank"] == str(rank)


def register_replicas(count: int) -> RegistrationMonitor:
    nodes = ["spark-1", "spark-2"][:count]
    block = SERVICE | {"tensorParallel": 1, "nodes": nodes, "replicas": count}
    declaration = build_declaration_with({"qwen": block})
    return register_plan(declaration, build_plan(declaration, load_reports("direct-2-up"), SECRETS))


def test_a_second_replica_asks_for_resources_of_its_own_and_changes_none_of_the_first() -> None:
    alone, both = register_replicas(1).by_name, register_replicas(2).by_name
    changed = {name for name in alone if alone[name] != both[name]}
    assert changed == {"rack", "qwen"}, "what is declared is a component's own"
    further = both.keys() - alone.keys()
    assert "qwen_2-rank-0" in further
    of_group = {name for name in further if "qwen_2" in name}
    brought = {"spark-2-image-qwen", "spark-1-offer-image-qwen", "spark-2-docker"}
    assert further - of_group <= brought | {"spark-1-transfer_key"}
    assert {both[name].parent for name in of_group if "rank" in name} == {"qwen"}
    stop_step = "spark-2-stop_previous-qwen_2"
    assert both["qwen_2-rank-0"].deleted_with == stop_step
    assert not {"spark-1-stop_previous-qwen", "spark-1-ready-qwen"} & both[stop_step].depends_on
    assert "spark-2-image-qwen" in both[stop_step].depends_on


def test_the_key_is_in_a_secret_and_on_the_standard_input_of_one_step_alone(
    container: RegistrationMonitor, swarm: RegistrationMonitor
) -> None:
    encoded = base64.b64encode(KEY.encode()).decode()
    for record, expected in (
        (container, {"spark-1-launch_files-qwen"}),
        (swarm, {"spark-1-launch_files-qwen", "qwen-rank-0-sparkform-api-key"}),
    ):
        holders = {
            registered.name
            for registered in record.by_name.values()
            if KEY in str(registered.inputs) or encoded in str(registered.inputs)
        }
        assert holders == expected


def test_dockers_ssh_trusts_the_pinned_key_and_no_other() -> None:
    target = Target(name="spark-1", host="10.0.0.1", user="nvidia", port=2222, host_key=HOST_KEY)
    options = build_ssh_options(target, REPORT)
    assert "KnownHostsCommand=/bin/echo [10.0.0.1]:2222 ssh-ed25519 AAAAC3Nz" in options
    for option in ("StrictHostKeyChecking=yes", "UserKnownHostsFile=/dev/null", "BatchMode=yes"):
        assert option in options
    assert "-i" not in options


def test_a_node_without_a_known_host_key_is_not_dialled() -> None:
    target = Target(name="spark-1", host="10.0.0.1", user="nvidia")
    unknown = REPORT.model_copy(update={"host_key": None})
    with pytest.raises(pulumi.RunError, match="host key unknown"):
        build_ssh_options(target, unknown)
