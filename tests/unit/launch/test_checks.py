from __future__ import annotations

from dataclasses import replace

import pytest

from sparkform.launch import Launch, digest
from sparkform.launch.checks import port_clashes, ranks_differ, secrets_shown
from tests.unit.launch.racks import on, planned, trt, vll

OWN = {"VLLM_HOST_IP", "NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME", "NCCL_IB_HCA"}


def pair() -> tuple[Launch, Launch]:
    first, second = planned(on("direct", oss=vll("direct"))).services["oss"]
    return first, second


def test_planned_ranks_do_not_differ() -> None:
    assert list(ranks_differ(pair(), OWN)) == []


def test_a_planted_variable_is_found() -> None:
    first, second = pair()
    planted = replace(second, environment={**second.environment, "NCCL_ALGO": "Ring"})
    (problem,) = ranks_differ((first, planted), OWN)
    assert problem.what == "ranks 0 (spark-1) and 1 (spark-2) differ in NCCL_ALGO"


def test_a_planted_argument_is_found() -> None:
    first, second = pair()
    planted = replace(second, argv=(*second.argv, "--enforce-eager"))
    (problem,) = ranks_differ((first, planted), OWN)
    assert "their arguments" in problem.what


@pytest.mark.parametrize("change", [{"image": "other:1"}, {"devices": ()}, {"ulimits": {}}])
def test_a_planted_container_setting_is_found(change: dict[str, object]) -> None:
    first, second = pair()
    (problem,) = ranks_differ((first, replace(second, **change)), OWN)  # type: ignore[arg-type]
    assert problem.what.endswith(next(iter(change)))


def test_a_planted_file_is_found() -> None:
    first, second = pair()
    planted = replace(second, files=(replace(second.files[0], text="exit 1\n"),))
    (problem,) = ranks_differ((first, planted), OWN)
    assert problem.what.endswith("/etc/sparkform/start")


def test_two_services_on_one_port_of_one_node_clash() -> None:
    spec = on(
        "direct",
        one=vll("none", nodes=["spark-1"], port=29501),
        two=vll("direct"),
    )
    (problem,) = planned(spec).problems
    assert "port 29501 on spark-1 (rendezvous) is taken by service one (API)" in problem.what


def test_services_on_different_nodes_do_not_clash() -> None:
    spec = on("direct", one=vll("none", nodes=["spark-1"]), two=vll("none", nodes=["spark-2"]))
    assert planned(spec).problems == ()


def test_a_launch_clashes_with_itself() -> None:
    (problem,) = planned(on("direct", oss=vll("direct", port=29501))).problems
    assert "is taken by service oss (API)" in problem.what


def test_loopback_addresses_do_not_meet() -> None:
    first, second = pair()
    one = replace(first, ports=(replace(first.ports[0], address="127.0.0.1"),))
    two = replace(second, node=first.node, ports=(replace(first.ports[0], address="10.0.0.11"),))
    assert list(port_clashes((one, two))) == []


def test_a_planted_secret_is_found_by_value_and_by_looks() -> None:
    first, _ = pair()
    by_value = replace(first, argv=(*first.argv, "correct horse"))
    by_looks = replace(first, argv=(*first.argv, "nvapi-" + "x" * 20))
    assert list(secrets_shown((first,), ["correct horse"])) == []
    assert len(list(secrets_shown((by_value,), ["correct horse"]))) == 1
    assert len(list(secrets_shown((by_looks,)))) == 1


def test_the_digest_follows_content_alone() -> None:
    launches, again = pair(), pair()
    assert digest(launches) == digest(again)
    reworded = replace(launches[0], unproven=("new words",))
    assert digest((reworded, launches[1])) == digest(launches)
    assert digest(launches[::-1]) != digest(launches)


@pytest.mark.parametrize(
    "change", [{"gpuMemoryUtilization": 0.79}, {"port": 8001}, {"environment": {"A": "1"}}]
)
def test_a_changed_declaration_changes_the_digest(change: dict[str, object]) -> None:
    before = planned(on("direct", oss=vll("direct"))).services["oss"]
    after = planned(on("direct", oss=vll("direct", **change))).services["oss"]
    assert digest(before) != digest(after)


def test_models_that_arrive_do_not_change_the_digest() -> None:
    from tests.unit.launch.racks import document

    path = "/var/lib/sparkform/models/hub/models--openai--gpt-oss-120b/snapshots/0"
    model = {
        "handle": "openai/gpt-oss-120b",
        "revision": "0",
        "path": path,
        "layout": "cache",
        "bytes": 1,
        "complete": True,
        "missing": [],
    }
    found = {"spark-1": document(0, models=[model]), "spark-2": document(1)}
    spec = on("direct", oss=vll("direct"))
    assert digest(planned(spec, found).services["oss"]) == digest(planned(spec).services["oss"])


def test_a_world_that_is_not_the_number_of_nodes_is_refused() -> None:
    (problem,) = planned(on("direct", qwen=trt("direct", tensorParallel=1))).problems
    assert problem.got == "1 x 1 x 1 = 1 for 2 nodes"
