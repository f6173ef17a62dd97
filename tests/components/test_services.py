"""What the engine is asked for to run services: order, replacement, placement, secrets."""

from __future__ import annotations

import base64
import json
from typing import Any

import pulumi
import pulumi_docker as docker
import pytest
from pulumi_command import remote

from components.docker_hosts import ssh_options
from components.inference_service import Ground, InferenceService, build_service
from components.rack import Rack, build_rack
from sparkform.config import Spec
from sparkform.plan.secrets import Secrets
from sparkform.report.rack_report import NodeReport
from sparkform.ssh.target import Target
from tests.support.planning import recorded
from tests.support.registrations import Record, Registered, recording
from tests.unit.plan.test_services import plan_of, spec_of

KEY = "sk-not-a-real-key"
HOST_KEY = "ssh-ed25519 AAAAC3Nz"
REPORT = NodeReport.model_validate(
    {
        "error": {"kind": "failed", "what": "not asked", "remedy": "none"},
        "host_key": HOST_KEY,
        "login": "agent",
    }
)


def built(**keys: Any) -> Record:
    """What a service on two nodes asks for, in a stack that has a key."""
    spec = spec_of(**keys)
    plan = plan_of(spec, recorded("direct-2-up"), Secrets(frozenset({"apiKey"}), {"apiKey": KEY}))
    with recording() as record:

        @pulumi.runtime.test  # type: ignore[untyped-decorator]
        def build() -> None:
            rack = Rack(spec, ())
            inside = pulumi.ResourceOptions(parent=rack)
            stands = build_rack(rack, spec, plan, "the program", reach(spec), lambda key: None)
            ground = Ground(
                built=stands,
                head="spark-1",
                owner="sparkform/rec",
                docker={
                    name: docker.Provider(f"{name}-docker", host=f"ssh://{name}", opts=inside)
                    for name in plan.docker_nodes
                },
                secret=lambda name: pulumi.Output.secret(KEY),
            )
            component = InferenceService("qwen", spec, (), inside)
            build_service(component, plan.services["qwen"], ground)

        build()
    return record


def reach(spec: Spec) -> dict[str, remote.ConnectionArgs]:
    return {
        node.name: remote.ConnectionArgs(host=node.host, host_key=HOST_KEY) for node in spec.nodes
    }


@pytest.fixture(scope="module")
def container() -> Record:
    return built()


@pytest.fixture(scope="module")
def swarm() -> Record:
    return built(runtime="swarm")


def ranks(record: Record) -> list[Registered]:
    return [record.found[f"qwen-rank-{rank}"] for rank in (0, 1)]


SLOTS = {"spark-1-slot-qwen", "spark-2-slot-qwen"}


def test_every_rank_waits_for_all_slots_and_comes_and_goes_with_its_own(container: Record) -> None:
    for rank, one in enumerate(ranks(container)):
        own = f"spark-{rank + 1}-slot-qwen"
        assert one.depends_on >= SLOTS
        assert one.deleted_with == own
        assert one.replace_with == {own}
        assert (one.deletes_first, one.provider) == (False, f"spark-{rank + 1}-docker")


def test_swarm_ranks_and_their_files_come_and_go_with_the_heads_slot(swarm: Record) -> None:
    stored = [one for one in swarm.found.values() if one.type.startswith("docker:index/s")]
    assert len(stored) == 2 + 2 + 1
    for one in stored:
        assert (one.deleted_with, one.provider) == ("spark-1-slot-qwen", "spark-1-docker")
        assert one.replace_with == {"spark-1-slot-qwen"}
        assert one.deletes_first is False


def test_a_slot_is_made_anew_for_each_run_and_begins_by_clearing_the_node(
    container: Record,
) -> None:
    for name in SLOTS:
        given = container.found[name].inputs
        document = json.loads(given["stdin"])
        assert given["triggers"] == [document["want"]["token"]]
        assert "node.pyz clear qwen < /dev/null && " in given["create"]
        assert "clear" not in given["update"]


def test_no_other_step_is_made_anew_for_a_run(container: Record) -> None:
    others = [one for one in container.commands() if one.name not in SLOTS]
    assert not any("triggers" in one.inputs for one in others)


def test_the_group_follows_the_ranks_and_the_wait_follows_the_group(container: Record) -> None:
    found = container.found
    assert {"qwen-rank-0", "qwen-rank-1"} <= found["spark-1-group-qwen"].depends_on
    for at in (1, 2):
        assert "spark-1-group-qwen" in found[f"spark-{at}-ready-qwen"].depends_on


def test_slots_stand_on_the_rack_and_on_the_launchs_files(container: Record) -> None:
    for name in SLOTS:
        waits = container.found[name].depends_on
        assert {"spark-1-launch_files-qwen", "spark-2-launch_files-qwen"} <= waits
        assert {"spark-1-docker_daemon", "spark-2-fabric_confirm"} <= waits


def test_ranks_bear_the_labels_by_which_they_are_found(container: Record) -> None:
    for rank, one in enumerate(ranks(container)):
        labels = {item["label"]: item["value"] for item in one.inputs["labels"]}
        assert labels["sparkform.rank"] == str(rank)
        assert (labels["sparkform.service"], labels["sparkform.owner"]) == ("qwen", "sparkform/rec")
        token = json.loads(container.found["spark-1-slot-qwen"].inputs["stdin"])["want"]["token"]
        assert labels["sparkform.token"] == token


def test_no_rank_restarts_alone(container: Record, swarm: Record) -> None:
    assert {one.inputs["restart"] for one in ranks(container)} == {"no"}
    for one in ranks(swarm):
        policy = one.inputs["taskSpec"]["restartPolicy"]
        assert policy == {"condition": "none", "delay": "0s", "window": "0s"}


def test_a_swarm_rank_is_placed_by_label_with_one_gpu_on_the_swarms_host_network(
    swarm: Record,
) -> None:
    for rank, one in enumerate(ranks(swarm)):
        task = one.inputs["taskSpec"]
        assert task["placement"]["constraints"] == [
            f"node.host.labels.sparkform.node == spark-{rank + 1}"
        ]
        generic = task["resources"]["reservation"]["genericResources"]
        assert generic == {"discreteResourcesSpecs": ["NVIDIA_GPU=1"]}
        assert task["networksAdvanceds"] == [{"id": "printed by spark-1-swarm_network"}]
        labels = {item["label"]: item["value"] for item in task["containerSpec"]["labels"]}
        assert labels["sparkform.rank"] == str(rank)


def test_the_key_is_in_a_secret_and_on_the_standard_input_of_one_step_alone(
    container: Record, swarm: Record
) -> None:
    encoded = base64.b64encode(KEY.encode()).decode()
    for record, expected in (
        (container, {"spark-1-launch_files-qwen"}),
        (swarm, {"spark-1-launch_files-qwen", "qwen-rank-0-sparkform-api-key"}),
    ):
        holders = {
            one.name
            for one in record.found.values()
            if KEY in str(one.inputs) or encoded in str(one.inputs)
        }
        assert holders == expected


def test_dockers_ssh_trusts_the_pinned_key_and_no_other() -> None:
    target = Target(name="spark-1", host="10.0.0.1", user="nvidia", port=2222, host_key=HOST_KEY)
    options = ssh_options(target, REPORT)
    assert "KnownHostsCommand=/bin/echo [10.0.0.1]:2222 ssh-ed25519 AAAAC3Nz" in options
    for option in ("StrictHostKeyChecking=yes", "UserKnownHostsFile=/dev/null", "BatchMode=yes"):
        assert option in options
    assert "-i" not in options


def test_a_node_without_a_known_host_key_is_not_dialled() -> None:
    target = Target(name="spark-1", host="10.0.0.1", user="nvidia")
    unknown = REPORT.model_copy(update={"host_key": None})
    with pytest.raises(pulumi.RunError, match="its host key is not known"):
        ssh_options(target, unknown)
