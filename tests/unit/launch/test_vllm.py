from __future__ import annotations

import json

import pytest

from sparkform.errors import Problem
from sparkform.launch import Launch
from tests.support.node_reports import Fields
from tests.unit.launch.racks import build_spark, build_vllm, declare_rack, plan_rack_launches

API_KEY = frozenset({"apiKey"})
LOCAL_MODEL: Fields = {"model": None, "modelPath": "/srv/big", "servedName": "big"}


def plan_service(
    topology: str, /, secrets: frozenset[str] = API_KEY, **changes: object
) -> tuple[Launch, ...]:
    plan = plan_rack_launches(
        declare_rack(topology, oss=build_vllm(topology, **changes)), secrets=secrets
    )
    assert plan.problems == (), [str(problem) for problem in plan.problems]
    return plan.services["oss"]


def list_problems(topology: str, **changes: object) -> list[Problem]:
    return list(
        plan_rack_launches(declare_rack(topology, oss=build_vllm(topology, **changes))).problems
    )


def get_option(launch: Launch, option: str) -> str:
    return launch.argv[launch.argv.index(option) + 1]


def get_start_script(launch: Launch) -> str:
    return next(file.text for file in launch.files if file.path.endswith("/start"))


@pytest.mark.parametrize("topology", ["direct", "ring", "switch"])
def test_ranks_are_numbered_and_all_but_the_first_are_headless(topology: str) -> None:
    ranks = plan_service(topology)
    assert [get_option(launch, "--node-rank") for launch in ranks] == [
        str(number) for number in range(len(ranks))
    ]
    assert ["--headless" in launch.argv for launch in ranks] == [False] + [True] * (len(ranks) - 1)
    assert {get_option(launch, "--master-addr") for launch in ranks} == {"10.0.0.11"}
    assert {get_option(launch, "--nnodes") for launch in ranks} == {str(len(ranks))}


def test_one_node_has_no_place_among_others() -> None:
    (launch,) = plan_service("none")
    assert not {"--nnodes", "--node-rank", "--headless", "--master-addr"} & set(launch.argv)


def test_copies_meet_at_the_head() -> None:
    for launch in plan_service("direct", tensorParallel=1, dataParallel=2):
        assert get_option(launch, "--data-parallel-size") == "2"
        assert get_option(launch, "--data-parallel-address") == "10.0.0.11"


def test_only_the_rank_that_answers_is_given_the_api_key() -> None:
    head, worker = plan_service("direct")
    assert [secret.secret for secret in head.secrets] == ["apiKey"]
    assert "VLLM_API_KEY" in get_start_script(head)
    assert worker.secrets == ()
    assert "VLLM_API_KEY" not in get_start_script(worker)
    assert plan_service("direct", frozenset())[0].secrets == ()


@pytest.mark.parametrize("runtime", ["swarm", "container", "native"])
def test_a_secret_is_a_path_and_never_an_argument_or_a_variable(runtime: str) -> None:
    (launch,) = plan_service("none", runtime=runtime)
    (secret,) = launch.secrets
    assert secret.mode == "0400"
    assert f'"$(cat {secret.path})"' in get_start_script(launch)
    assert "VLLM_API_KEY" not in launch.environment
    assert not [argument for argument in launch.argv if "api-key" in argument]


def test_an_engine_runs_offline_and_is_given_no_token() -> None:
    (launch,) = plan_service("none", frozenset({"apiKey", "hfToken"}))
    assert launch.environment["HF_HUB_OFFLINE"] == "1"
    assert [secret.secret for secret in launch.secrets] == ["apiKey"]


def test_an_existing_cache_is_used_where_it_is() -> None:
    path = "/var/lib/sparkform/models/models--openai--gpt-oss-120b/snapshots/0"
    model = {
        "handle": "openai/gpt-oss-120b",
        "revision": "0",
        "path": path,
        "layout": "cache",
        "bytes": 1,
        "complete": True,
        "missing": [],
    }
    reports = {"spark-1": build_spark(0, models=[model]), "spark-2": build_spark(1)}
    head, worker = plan_rack_launches(
        declare_rack("direct", oss=build_vllm("direct")), reports
    ).services["oss"]
    assert head.mounts[0].source == "/var/lib/sparkform/models"
    assert worker.mounts[0].source == "/var/lib/sparkform/models/hub"
    assert head.mounts[0].target == worker.mounts[0].target == "/models/hub"


def test_a_local_path_is_the_same_argument_on_all_ranks() -> None:
    for runtime, argument in (("container", "/models/big"), ("native", "/srv/big")):
        for launch in plan_service("direct", API_KEY, runtime=runtime, **LOCAL_MODEL):
            assert argument in launch.argv
            assert "HF_HUB_CACHE" not in launch.environment


def test_a_fetched_draft_is_found_beside_a_model_at_a_path() -> None:
    draft = {"method": "eagle3", "tokens": 3, "model": "acme/draft"}
    changes = LOCAL_MODEL | {"speculative": draft}
    (launch,) = plan_service("none", API_KEY, **changes)
    assert [mount.target for mount in launch.mounts[:2]] == ["/models/big", "/models/hub"]
    assert launch.environment["HF_HUB_CACHE"] == "/models/hub"
    (native,) = plan_service("none", API_KEY, runtime="native", **changes)
    assert native.environment["HF_HUB_CACHE"].endswith("/hub")


def test_speculation_is_one_argument_without_blanks() -> None:
    (launch,) = plan_service("none", speculative={"method": "mtp", "tokens": 2})
    text = get_option(launch, "--speculative-config")
    assert json.loads(text) == {"method": "mtp", "num_speculative_tokens": 2}
    assert " " not in text


@pytest.mark.parametrize("runtime", ["swarm", "container", "native"])
def test_a_services_files_are_on_every_rank_where_its_options_say(runtime: str) -> None:
    files = {"chat.jinja": "{{ messages }}", "parser.py": "NAME = 1\n"}
    launches = plan_service(
        "direct",
        runtime=runtime,
        files=files,
        chatTemplate="chat.jinja",
        toolParserPlugin="parser.py",
        reasoningParserPlugin="/opt/parsers/own.py",
    )
    assert len(launches) == 2
    for launch in launches:
        texts = {file.path: file.text for file in launch.files}
        assert texts[get_option(launch, "--chat-template")] == files["chat.jinja"]
        assert texts[get_option(launch, "--tool-parser-plugin")] == files["parser.py"]
        assert get_option(launch, "--reasoning-parser-plugin") == "/opt/parsers/own.py"


@pytest.mark.parametrize(
    "argument", ["--tensor-parallel-size=2", "-tp", "--max_model_len", "--node-rank", "--headless"]
)
def test_a_planned_option_is_not_given_again(argument: str) -> None:
    (problem,) = list_problems("direct", extraArgs=[argument])
    assert "again, which is planned as" in problem.message


@pytest.mark.parametrize("argument", ["--api-key=abc", "--api_key", "--hf-token"])
def test_a_secret_argument_is_refused(argument: str) -> None:
    (problem,) = list_problems("none", extraArgs=[argument])
    assert problem.message == "looks like a secret"
    assert "abc" not in str(problem)


def test_ray_runs_the_engine_on_the_head_only() -> None:
    head, worker = plan_service("direct", launcher="ray")
    assert get_option(head, "--distributed-executor-backend") == "ray"
    assert worker.argv[:2] == ("ray", "start")
    assert get_option(worker, "--address") == "10.0.0.11:6379"
    assert get_option(worker, "--node-ip-address") == "10.0.0.12"
    for launch in (head, worker):
        assert launch.environment["RAY_memory_monitor_refresh_ms"] == "0"
        (carry_over_file,) = [file.text for file in launch.files if file.path.endswith(".json")]
        assert {"NCCL_SOCKET_IFNAME", "VLLM_API_KEY", "VLLM_HOST_IP"} <= set(
            json.loads(carry_over_file)
        )
    assert "--object-store-memory 1073741824" in get_start_script(head)
    assert get_option(worker, "--object-store-memory") == "1073741824"


def test_ray_and_copies_are_refused() -> None:
    (problem,) = list_problems("direct", launcher="ray", tensorParallel=1, dataParallel=2)
    assert problem.path == "services.oss.launcher"


@pytest.mark.parametrize("launcher", ["mp", "ray"])
def test_rdma_in_swarm_is_asked_for_and_marked_as_unproven(launcher: str) -> None:
    for launch in plan_service("direct", runtime="swarm", launcher=launcher):
        assert launch.environment["NVIDIA_MOFED"] == "enabled"
        assert "never reported from a Spark" in launch.unproven[0]
    (alone,) = plan_service("none", runtime="swarm")
    assert ("NVIDIA_MOFED" in alone.environment, alone.unproven) == (False, ())
