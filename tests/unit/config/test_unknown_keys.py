"""Unknown keys: near names, the other engine's keys, and their place in nested blocks."""

from __future__ import annotations

import pytest

from sparkform.config.section import get_fields_by_key
from sparkform.config.service import TrtllmService, VllmService
from tests.unit.config.support import (
    build_changed_cluster,
    build_cluster,
    find_problem,
    trtllm,
    vllm,
)


def test_a_misspelt_key_gets_its_near_names_and_the_known_keys() -> None:
    problem = find_problem(build_changed_cluster(0, hostkey="x"))
    assert problem.path == "cluster.nodes[0].hostkey"
    assert problem.remedy is not None
    assert "hostKey" in problem.remedy
    assert problem.allowed is None, "all the keys there are would hide it"


def test_a_key_in_snake_case_is_unknown() -> None:
    problem = find_problem(build_cluster(model_directory="/srv"))
    assert problem.remedy == "did you mean modelDirectory?"


def test_a_key_far_from_all_gets_no_guess() -> None:
    problem = find_problem(build_cluster(zzz=1))
    assert problem.remedy is None
    assert "keepModels" in str(problem.allowed)


def test_a_strange_key_cannot_break_the_report() -> None:
    problem = find_problem(build_cluster(**{"a\nb\x1b[31m" + "x" * 500: 1}))
    assert str(problem).isprintable()
    assert len(problem.path) < 100


OF_VLLM = sorted(set(get_fields_by_key(VllmService)) - set(get_fields_by_key(TrtllmService)))
OF_TRTLLM = sorted(set(get_fields_by_key(TrtllmService)) - set(get_fields_by_key(VllmService)))


@pytest.mark.parametrize("key", OF_VLLM)
def test_a_vllm_key_in_a_trtllm_service_is_refused_by_name(key: str) -> None:
    problem = find_problem(build_cluster(), {"qwen": trtllm(**{key: 1})})
    assert problem.path == f"services.qwen.{key}"
    assert problem.message == "is a key of vllm, which this service does not use"
    assert problem.because == "only engine vllm has it"


@pytest.mark.parametrize("key", OF_TRTLLM)
def test_a_trtllm_key_in_a_vllm_service_is_refused_by_name(key: str) -> None:
    problem = find_problem(build_cluster(), {"oss": vllm(nodes=["spark-1"], **{key: 1})})
    assert problem.path == f"services.oss.{key}"
    assert problem.message == "is a key of trtllm, which this service does not use"


def test_both_engines_have_keys_of_their_own() -> None:
    assert "gpuMemoryUtilization" in OF_VLLM
    assert "allReduce" in OF_TRTLLM


def test_the_counterpart_of_a_key_is_offered() -> None:
    problem = find_problem(build_cluster(), {"qwen": trtllm(enforceEager=True)})
    assert problem.remedy == "with trtllm the nearest is cudaGraph: false"


def test_an_engine_key_is_merely_unknown_outside_a_service() -> None:
    assert find_problem(build_cluster(allReduce="NCCL")).message == "is not a known key"


@pytest.mark.parametrize("key", ["=", "[key]", "block", "flag", "", "environment"])
def test_a_key_that_looks_like_a_mark_of_the_reader_is_unknown_all_the_same(key: str) -> None:
    assert find_problem(build_cluster(**{key: 1})).message == "is not a known key"
    graph = trtllm(cudaGraph={"maxBatchSize": 1, key: 1})
    problem = find_problem(build_cluster(), {"q": graph})
    assert problem.path.startswith("services.q.cudaGraph")
    assert problem.path != "services.q.cudaGraph"
    assert problem.message == "is not a known key"


def test_a_bad_variable_name_is_refused_whatever_it_looks_like() -> None:
    problem = find_problem(build_cluster(), {"q": trtllm(environment={"[key]": "1"})})
    assert problem.path == 'services.q.environment["[key]"]'


def test_a_variable_name_that_is_no_text_is_refused_once() -> None:
    problem = find_problem(build_cluster(), {"q": trtllm(environment={5: "1"})})
    assert (problem.path, problem.message) == (
        "services.q.environment.5",
        "is a key that is not text",
    )
