"""`sparkform plan` on recorded facts: addresses, steps with their lines, a stable JSON form."""

from __future__ import annotations

import json
from pathlib import Path

from sparkform.commands.plan.text import format_prediction
from sparkform.rules.figures import Figures
from tests.support.recorded import FOLDER
from tests.unit.commands.conftest import Command
from tests.unit.commands.stacks import VLLM, write_stack

UP = FOLDER / "direct-in-swarm.json"
UNTOUCHED = FOLDER / "direct-untouched.json"
DRIFTED = FOLDER / "direct-one-half-at-mtu-1500.json"


def test_the_lines_show_addresses_and_the_words_of_each_step(
    sparkform: Command, project: Path
) -> None:
    ran = sparkform("plan", write_stack(project), "--facts", UNTOUCHED)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert "  spark-2, worker: 10.87.153.12, management address 10.87.153.12/24" in lines
    location = "192.168.100.139/25, port 0, half B, cable spark-1:0-spark-2:0"
    assert f"  spark-2 enP2p1s0f0np0: {location}" in lines
    first = lines.index("  change spark-1 swarm, disturbs docker")
    assert lines[first + 1] == "    in no Swarm, will start one at 10.87.153.11"


def test_a_rank_s_command_can_be_pasted_and_what_the_rules_say_too(
    sparkform: Command, project: Path
) -> None:
    stack = write_stack(project, services={"qwen": {**VLLM, "tensorParallel": 2}})
    ran = sparkform("plan", stack, "--facts", UNTOUCHED)
    assert ran.err == ""
    document = json.loads(sparkform("plan", stack, "--facts", UNTOUCHED, "--json").out)
    lines = ran.out.splitlines()
    (service,) = document["services"]
    for launch in service["launches"]:
        assert f"    {' '.join(launch['command'])}" in lines
    assert {violation["rule"] for violation in document["violations"]}
    for violation in document["violations"]:
        assert f"  write:    {violation['remedy']}" in lines


def test_a_model_that_does_not_fit_is_said_to_lack_what_it_lacks() -> None:
    figures = Figures(weights_gib=62.5, free_gib=-48.5, max_context=0, decode_tok_s=15.4)
    assert format_prediction(figures) == (
        "62.5 GiB of weights per node, 48.5 GiB too much: it does not fit"
    )


def test_the_json_form_has_the_keys_that_are_documented(sparkform: Command, project: Path) -> None:
    ran = sparkform("plan", write_stack(project), "--facts", DRIFTED, "--json")
    document = json.loads(ran.out)
    keys = ["stack", "fabric", "nodes", "services", "steps", "unknown", "violations"]
    assert list(document) == keys
    assert document["stack"] == "sparkform/cli"
    assert document["fabric"] == {
        "topology": "direct",
        "mtu": 9000,
        "cables": ["spark-1:0-spark-2:0"],
    }
    assert document["nodes"][1]["fabric"][1] == {
        "interface": "enP2p1s0f0np0",
        "port": 0,
        "half": "B",
        "cable": "spark-1:0-spark-2:0",
        "address": "192.168.100.139/25",
        "peers": {"spark-1": "192.168.100.138"},
    }
    changes = [step for step in document["steps"] if step["state"] == "change"]
    assert {
        "node": "spark-2",
        "step": "fabric_address",
        "state": "change",
        "disturbs": "fabric",
        "refused": False,
        "lines": ["spark-2 fabric_address: MTU of enP2p1s0f0np0 is 1500, will be 9000"],
    } in changes


def test_a_node_that_is_away_holds_its_steps(sparkform: Command, project: Path) -> None:
    nodes = [{"name": "spark-1", "host": "10.87.153.11"}]
    nodes += [{"name": "spark-2", "host": "10.87.153.12", "away": True}]  # type: ignore[dict-item]
    stack = write_stack(project, nodes=nodes)
    document = json.loads(sparkform("plan", stack, "--facts", UP, "--json").out)
    assert {step["state"] for step in document["steps"] if step["node"] == "spark-2"} == {"held"}
    assert {step["state"] for step in document["steps"] if step["step"] == "nccl_conf"} == {
        "held",
        "same",
    }


def test_facts_that_lack_a_node_and_facts_that_are_none_are_refused(
    sparkform: Command, project: Path
) -> None:
    nodes = [{"name": "spark-1", "host": "a"}, {"name": "spark-9", "host": "b"}]
    ran = sparkform("plan", write_stack(project, nodes=nodes), "--facts", UP)
    assert ran.code == 2
    assert ran.err.startswith("cluster.nodes[1]: spark-9 is not among the recorded facts")
    damaged = project / "facts.json"
    damaged.write_text("{")
    assert sparkform("plan", write_stack(project), "--facts", damaged).code == 2


def test_a_pool_that_overlaps_is_told_with_the_plan_and_ends_with_1(
    sparkform: Command, project: Path
) -> None:
    stack = write_stack(project, fabric={"topology": "direct", "pool": "172.17.0.0/22"})
    ran = sparkform("plan", stack, "--facts", UNTOUCHED, "--json")
    assert ran.code == 1
    mandatory = [
        violation
        for violation in json.loads(ran.out)["violations"]
        if violation["severity"] == "mandatory"
    ]
    assert {violation["rule"] for violation in mandatory} == {"pool-overlap"}
    assert sparkform("plan", write_stack(project), "--facts", UNTOUCHED).code == 0


def test_the_stack_and_the_project_must_have_names(sparkform: Command, project: Path) -> None:
    stack = write_stack(project)
    misnamed = stack.rename(project / "rack.yaml")
    (project / "Pulumi.yaml").unlink()
    ran = sparkform("plan", misnamed, "--facts", UP)
    assert ran.code == 2
    first, second = ran.err.splitlines()
    assert "is not the name of a Pulumi stack file (got rack.yaml)" in first
    assert "contains no Pulumi.yaml, nor does any folder above it" in second


def test_a_project_above_the_stack_file_counts(sparkform: Command, project: Path) -> None:
    below = project / "stacks"
    below.mkdir()
    ran = sparkform("plan", write_stack(below), "--facts", UP, "--json")
    assert json.loads(ran.out)["stack"] == "sparkform/cli"
