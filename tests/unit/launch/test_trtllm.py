from __future__ import annotations

from typing import Any

import pytest
import yaml

from sparkform.config import Monitoring
from sparkform.errors import Problem
from sparkform.launch import Launch
from tests.unit.launch.racks import build_trtllm, declare_rack, plan_rack_launches


def plan_service(topology: str, **changes: object) -> tuple[Launch, ...]:
    plan = plan_rack_launches(declare_rack(topology, qwen=build_trtllm(topology, **changes)))
    assert plan.problems == (), [str(problem) for problem in plan.problems]
    return plan.services["qwen"]


def list_problems(
    topology: str, secrets: frozenset[str] = frozenset(), **changes: object
) -> list[Problem]:
    return list(
        plan_rack_launches(
            declare_rack(topology, qwen=build_trtllm(topology, **changes)), secrets=secrets
        ).problems
    )


def read_engine_file(launch: Launch) -> dict[str, Any]:
    """TensorRT-LLM's own keys, whatever they hold."""
    (text,) = [file.text for file in launch.files if file.path.endswith("engine.yaml")]
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def list_options(launch: Launch) -> set[str]:
    return {argument for argument in launch.argv if argument.startswith("--")}


def test_graphs_off_is_null_and_nothing_else() -> None:
    off = read_engine_file(plan_service("none", cudaGraph=False)[0])
    assert "cuda_graph_config" in off
    assert off["cuda_graph_config"] is None


def test_graphs_are_sized_by_their_block() -> None:
    sized = read_engine_file(plan_service("none", cudaGraph={"maxBatchSize": 4})[0])
    assert sized["cuda_graph_config"] == {"enable_padding": True, "max_batch_size": 4}
    assert read_engine_file(plan_service("none")[0])["cuda_graph_config"] == {
        "enable_padding": True
    }


def test_the_all_reduce_strategy_is_always_written() -> None:
    assert read_engine_file(plan_service("none")[0])["allreduce_strategy"] == "AUTO"
    assert read_engine_file(plan_service("direct")[0])["allreduce_strategy"] == "NCCL"
    assert read_engine_file(plan_service("direct", allReduce="ONESHOT")[0])[
        "allreduce_strategy"
    ] == ("ONESHOT")


def test_no_setting_stands_in_the_file_and_on_the_command_line() -> None:
    for topology in ("none", "direct", "switch"):
        head = plan_service(topology, maxNumTokens=8192)[0]
        keys = {f"--{key}" for key in read_engine_file(head)}
        nested = {f"--{key}" for key in read_engine_file(head)["kv_cache_config"]}
        assert not list_options(head) & (keys | nested)


@pytest.mark.parametrize(
    "argument", ["--max_batch_size", "--kv_cache_free_gpu_memory_fraction=0.5", "--max_seq_len"]
)
def test_an_option_whose_setting_is_in_the_file_is_refused(argument: str) -> None:
    (problem,) = list_problems("none", extraArgs=[argument])
    assert "stands in the engine file" in problem.message


@pytest.mark.parametrize("argument", ["--tp_size", "--tensor_parallel_size=2", "--config"])
def test_a_planned_option_is_not_given_again(argument: str) -> None:
    (problem,) = list_problems("none", extraArgs=[argument])
    assert "again, which is planned as" in problem.message


@pytest.mark.parametrize("argument", ["a b", "a\tb", "*.json", "[1]"])
def test_the_launcher_of_several_ranks_is_given_no_word_that_it_would_split(argument: str) -> None:
    (problem,) = list_problems("direct", extraArgs=["--chat_template", argument])
    assert problem.path == "services.qwen.extraArgs[1]"
    assert list_problems("none", extraArgs=["--chat_template", argument]) == []


def test_planned_arguments_hold_no_blank() -> None:
    for topology in ("direct", "ring", "switch"):
        head = plan_service(topology)[0]
        behind = head.argv[head.argv.index("trtllm-llmapi-launch") :]
        assert not [argument for argument in behind if any(map(str.isspace, argument))]


def test_every_variable_is_exported_the_users_too() -> None:
    head = plan_service("switch", environment={"NCCL_ALGO": "Ring", "TLLM_LOG_LEVEL": "INFO"})[0]
    positions = [index for index, argument in enumerate(head.argv) if argument == "-x"]
    assert {head.argv[index + 1] for index in positions} == set(head.environment)


def test_one_rank_a_node_with_the_head_first() -> None:
    head, *workers = plan_service("switch")
    hosts = next(file.text for file in head.files if file.path.endswith("hostfile"))
    assert hosts.split("\n") == [f"10.0.0.{last_byte} slots=1" for last_byte in (11, 12, 13)] + [""]
    assert head.argv[:3] == ("mpirun", "-np", "3")
    assert [worker.argv[0] for worker in workers] == ["/usr/sbin/sshd"] * 2


def test_the_head_pins_each_worker_and_only_public_halves_travel() -> None:
    head, *workers = plan_service("switch")
    client, known_hosts = head.keys
    assert (client.kind, client.mode, client.speaks_for) == ("client_key", "0600", {})
    assert known_hosts.speaks_for == {"[10.0.0.12]:2233": "spark-2", "[10.0.0.13]:2233": "spark-3"}
    for worker in workers:
        host, authorized = worker.keys
        assert (host.kind, host.mode, host.speaks_for) == ("host_key", "0600", {})
        assert authorized.speaks_for == {"10.0.0.11": "spark-1"}


def test_swarm_asks_the_runtime_for_rdma_and_a_container_passes_the_device() -> None:
    for launch in plan_service("direct", runtime="swarm"):
        assert launch.environment["NVIDIA_MOFED"] == "enabled"
        assert (launch.devices, launch.ulimits, launch.shares_ipc) == ((), {}, False)
        assert any("NVIDIA_MOFED" in remark for remark in launch.unproven)
    for launch in plan_service("direct", runtime="container"):
        assert "NVIDIA_MOFED" not in launch.environment
        assert launch.devices == ("/dev/infiniband",)
        assert (launch.ulimits["memlock"], launch.shares_ipc) == (-1, True)


def test_an_older_image_is_given_no_name_that_it_cannot_take() -> None:
    (problem,) = list_problems("none", servedName="big")
    assert problem.path == "services.qwen.servedName"
    newer = plan_service(
        "none", servedName="big", image="nvcr.io/nvidia/tensorrt-llm/release:1.3.0rc13"
    )
    assert "--served_model_name" in newer[0].argv


def test_a_local_model_is_named_by_its_folder_in_an_older_image() -> None:
    (launch,) = plan_service("none", model=None, modelPath="/srv/qwen", servedName="big")
    assert launch.argv[1] == "/models/big"
    assert ("/srv/qwen", "/models/big") in [(mount.source, mount.target) for mount in launch.mounts]
    (problem,) = list_problems("none", model=None, modelPath="/srv/qwen", servedName="me/big")
    assert problem.path == "services.qwen.servedName"


def test_a_reachable_api_without_its_key_is_refused() -> None:
    (problem,) = list_problems("none", frozenset({"apiKey"}))
    assert "asks nobody for sparkform:apiKey" in problem.message
    assert list_problems("none", frozenset({"apiKey"}), bind="127.0.0.1") == []


def test_copies_and_native_are_refused() -> None:
    (copies,) = list_problems("direct", tensorParallel=1, dataParallel=2)
    assert copies.path == "services.qwen.dataParallel"
    (native,) = list_problems("none", runtime="native", image=None)
    assert native.path == "services.qwen.runtime"


def test_an_image_without_a_known_version_is_refused() -> None:
    (problem,) = list_problems("none", image="nvcr.io/nvidia/tensorrt-llm/release:spark-dev")
    assert problem.path == "services.qwen.image"
    assert "1.2.0rc3" in (problem.allowed or "")


def test_prometheus_gets_figures_where_the_rack_is_monitored_and_only_there() -> None:
    declaration = declare_rack("none", qwen=build_trtllm("none"))
    watched = declaration.model_copy(update={"monitoring": Monitoring()})
    assert "return_perf_metrics" not in read_engine_file(plan_service("none")[0])
    plan = plan_rack_launches(watched)
    assert plan.problems == ()
    assert read_engine_file(plan.services["qwen"][0])["return_perf_metrics"] is True
