"""Single values: what each key takes, and the words in which it refuses the rest."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.config.support import (
    ECDSA,
    ED25519,
    build_changed_cluster,
    build_cluster,
    build_declaration,
    find_problem,
    find_problems,
    trtllm,
    vllm,
)

REFUSED: list[tuple[str, Any, str, str]] = [
    # key of a node, value, what is wrong, what was got
    ("port", "22", "must be an integer", '"22"'),
    ("port", True, "must be an integer", "true"),
    ("port", 22.5, "must be an integer", "22.5"),
    ("port", 0, "is out of range", "0"),
    ("port", 65536, "is out of range", "65536"),
    ("port", 10**4000, "is out of range", "a very large number"),
    ("port", [22], "must be an integer", "a list of 1"),
    ("port", {"a": 1}, "must be an integer", "a mapping"),
    ("index", 8, "is out of range", "8"),
    ("index", -1, "is out of range", "-1"),
    ("name", "Spark", "is not a DNS label", '"Spark"'),
    ("name", "a" * 64, "is not a DNS label", '"' + "a" * 60 + '"... (64 characters)'),
    ("name", "-a", "is not a DNS label", '"-a"'),
    ("name", "", "is empty", '""'),
    ("name", 7, "must be text: put it in quotes", "7"),
    ("host", "nvidia@10.0.0.1", "is not a host name or an IP address", '"nvidia@10.0.0.1"'),
    ("host", "10.0.0.1:22", "is not a host name or an IP address", '"10.0.0.1:22"'),
    ("host", "spark one", "is not a host name or an IP address", '"spark one"'),
    (
        "host",
        "a\nb",
        "has blanks at its ends, line breaks or unprintable characters",
        '"a\\nb"',
    ),
    ("managementAddress", "10.0.0", "is not an IP address", '"10.0.0"'),
    ("managementAddress", "127.0.0.1", "is not the address of a host", '"127.0.0.1"'),
    ("user", "Root", "is not a user name", '"Root"'),
    ("qsfpPort", 2, "is not one of the known values", "2"),
    ("qsfpPort", True, "is not one of the known values", "true"),
    ("interfaces", "enp1s0f0np0", "must be a list", '"enp1s0f0np0"'),
    ("interfaces", ["enp1s0f0np0"], "has too few items", "a list of 1"),
    ("memoryGib", 0, "is out of range", "0"),
    ("memoryGib", float("nan"), "is not a finite number", ""),
    ("modelDirectory", "models", "is not an absolute path that a mount can name", '"models"'),
    ("modelDirectory", "/a/../b", "has empty, `.` or `..` parts", '"/a/../b"'),
    ("modelDirectory", "/a:b", "is not an absolute path that a mount can name", '"/a:b"'),
    ("away", "yes", "must be true or false", '"yes"'),
    ("away", 1, "must be true or false", "1"),
    ("hostKey", "ssh-rsa AAAA", "is not a host key of a type that can be checked", ""),
    ("hostKey", "ssh-ed25519", "is damaged: its base64 part is not a key of that type", ""),
    ("hostKey", ED25519[:-40], "is damaged: its base64 part is not a key of that type", ""),
    ("hostKey", "ssh-ed25519 " + ECDSA.split()[1], "is damaged", ""),
    ("hostKey", None, "has no value", ""),
]


@pytest.mark.parametrize(("key", "value", "message", "got"), REFUSED)
def test_a_wrong_value_is_refused_at_its_path_in_plain_words(
    key: str, value: object, message: str, got: str
) -> None:
    problem = find_problem(build_changed_cluster(1, **{key: value}))
    assert problem.path == f"cluster.nodes[1].{key}"
    assert problem.message.startswith(message)
    assert not got or problem.got == got


ACCEPTED: list[tuple[str, Any, Any]] = [
    ("port", 2222.0, 2222),
    ("index", 7.0, 7),
    ("host", "spark-2.lab.example", "spark-2.lab.example"),
    ("host", "fd00::2", "fd00::2"),
    ("managementAddress", "10.9.0.2", "10.9.0.2"),
    ("qsfpPort", 1.0, 1),
    ("qsfpPort", "auto", "auto"),
    ("interfaces", ["enp1s0f0np0", "enP2p1s0f0np0"], ("enp1s0f0np0", "enP2p1s0f0np0")),
    ("memoryGib", 128, 128.0),
    ("modelDirectory", "/srv/models", "/srv/models"),
    ("hostKey", ED25519 + " root@spark", ED25519),
    ("hostKey", ECDSA, ECDSA),
]


@pytest.mark.parametrize(("key", "value", "clean"), ACCEPTED)
def test_a_right_value_is_kept_in_its_clean_form(key: str, value: object, clean: object) -> None:
    node = build_declaration(build_changed_cluster(1, **{key: value})).cluster.nodes[1].to_plain()
    assert node[key] == (list(clean) if isinstance(clean, tuple) else clean)


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        ("192.168.100.1/22", "is not an IPv4 network in the form 192.168.100.0/22"),
        ("192.168.100.0/26", "has the wrong size"),
        ("8.8.8.0/24", "is not a network for private use"),
        ("10.0.0.0/7", "is not a network for private use"),
        ("169.254.0.0/16", "is not a network for private use"),
        ("fd00::/64", "is not an IPv4 network in the form 192.168.100.0/22"),
        (3232261120, "must be text: put it in quotes"),
    ],
)
def test_a_pool_must_be_a_private_network_of_a_useful_size(pool: object, message: str) -> None:
    problem = find_problem(build_cluster(fabric={"topology": "direct", "pool": pool}))
    assert (problem.path, problem.message) == ("cluster.fabric.pool", message)


@pytest.mark.parametrize("mtu", [1499, 9001, "jumbo", 1500.5, True])
def test_an_mtu_outside_what_the_ports_carry_is_refused_with_the_reason(mtu: object) -> None:
    problem = find_problem(build_cluster(fabric={"topology": "direct", "mtu": mtu}))
    assert problem.path == "cluster.fabric.mtu"
    assert problem.allowed == "an integer from 1500 to 9000, or inherit"
    assert "RoCE" in (problem.because or "")


@pytest.mark.parametrize(("mtu", "clean"), [(1500, 1500), (9000.0, 9000), ("inherit", "inherit")])
def test_an_mtu_within_reach_is_kept(mtu: object, clean: object) -> None:
    assert (
        build_declaration(build_cluster(fabric={"topology": "direct", "mtu": mtu})).fabric_mtu
        == clean
    )


def test_an_unquoted_version_is_refused_because_yaml_shortens_it() -> None:
    problem = find_problem(build_cluster(expected={"cuda": 13.10}))
    assert str(problem) == (
        "cluster.expected.cuda: must be text: put it in quotes (got 13.1); allowed: a version in "
        "quotes, like '580.95'; because without quotes YAML reads 12.10 as the number 12.1"
    )


@pytest.mark.parametrize(
    ("key", "value", "path"),
    [
        ("cudaGraph", {"maxBatchSize": 0}, "cudaGraph.maxBatchSize"),
        ("cudaGraph", {}, "cudaGraph.maxBatchSize"),
        ("cudaGraph", "off", "cudaGraph"),
        ("allReduce", "RING", "allReduce"),
        ("freeGpuMemoryFraction", 90, "freeGpuMemoryFraction"),
        ("tensorParallel", 9, "tensorParallel"),
        ("image", "NVCR.io/x y", "image"),
        ("model", "https://hf.co/a/b", "model"),
        ("modelFacts", {"layers": 1.5}, "modelFacts.layers"),
        ("bind", "localhost", "bind"),
        ("environment", {"A": 1}, "environment.A"),
        ("environment", {"A-B": "x"}, "environment.A-B"),
        ("environment", ["A=1"], "environment"),
        ("extraArgs", "--a b", "extraArgs"),
        ("extraArgs", ["--a", 1], "extraArgs[1]"),
        ("readyTimeoutSeconds", 0, "readyTimeoutSeconds"),
        ("nodes", [], "nodes"),
        ("engine", "TRTLLM", "engine"),
    ],
)
def test_a_wrong_value_in_a_service_is_refused_at_its_path(
    key: str, value: object, path: str
) -> None:
    assert (
        find_problem(build_cluster(), {"qwen": trtllm(**{key: value})}).path
        == f"services.qwen.{path}"
    )


def test_the_good_services_are_good() -> None:
    assert not find_problems(
        build_cluster(), {"a": trtllm(nodes=["spark-1"]), "b": vllm(nodes=["spark-2"])}
    )


def test_a_closed_choice_offers_the_near_name() -> None:
    problem = find_problem(build_cluster(fabric={"topology": "swich"}))
    assert problem.remedy == "did you mean switch?"
    assert problem.allowed == "direct, ring, switch, none"


@pytest.mark.parametrize("count", [0, 9])
def test_a_cluster_has_one_to_eight_nodes(count: int) -> None:
    problem = find_problem(build_cluster(count))
    assert (problem.path, problem.got) == ("cluster.nodes", f"a list of {count}")


def test_a_waiver_without_a_reason_is_refused() -> None:
    reported = find_problems(
        build_cluster(waive=[{"rule": "world-size"}, {"rule": "tp-heads", "reason": " "}])
    )
    assert [(problem.path, problem.message) for problem in reported] == [
        ("cluster.waive[0].reason", "is missing"),
        ("cluster.waive[1].reason", "is empty"),
    ]


def test_an_integer_too_long_to_print_is_refused_all_the_same() -> None:
    problem = find_problem(build_changed_cluster(1, port=10**5000))
    assert (problem.message, problem.got) == ("is out of range", "a very large number")


def test_a_service_cannot_be_named_as_our_own_units_are() -> None:
    assert find_problems(build_cluster(), {"rollbacks": vllm()}) == []
    problem = find_problem(build_cluster(), {"rollback": vllm()})
    assert (problem.path, problem.message) == (
        "services.rollback",
        "the name is not a name for a service",
    )
