"""`sparkform models STACK.yaml` on recorded facts: what lies where, who asks for it, what fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkform.report.recording import save_facts
from tests.support.recorded import FOLDER, UP, change_report, load_recording, silence_node
from tests.unit.commands.conftest import Command
from tests.unit.commands.stacks import write_stack

REVISION = "b968826d9c46dd6066d109eabc6255188de91218"
QWEN = {
    "handle": "Qwen/Qwen3-8B",
    "revision": REVISION,
    "path": f"/var/lib/sparkform/models/hub/models--Qwen--Qwen3-8B/snapshots/{REVISION}",
    "layout": "cache",
    "bytes": 16 * 1024**3,
    "complete": True,
    "missing": [],
}
HALF = {**QWEN, "bytes": 4 * 1024**3, "complete": False, "missing": ["model-00002.safetensors"]}
OWN = {**QWEN, "handle": "our/own-model", "path": "/srv/own", "layout": "folder", "revision": None}
SERVICE = {
    "engine": "vllm",
    "runtime": "native",
    "model": "openai/gpt-oss-120b",
    "nodes": ["spark-1"],
    "port": 8000,
}


@pytest.fixture
def facts(project: Path) -> Path:
    """spark-1 holds a whole model and one of its own, spark-2 half of the first."""
    observation = change_report(load_recording(UP), "spark-1", ("facts", "models"), [QWEN, OWN])
    observation = change_report(observation, "spark-2", ("facts", "models"), [HALF])
    file = project / "facts.json"
    save_facts(observation, file)
    return file


@pytest.fixture
def stack(project: Path) -> Path:
    """Asks for one model by a service and for another one ahead."""
    return write_stack(project, services={"main": SERVICE}, models=["Qwen/Qwen3-8B"])


def read_models(sparkform: Command, *arguments: object) -> dict[str, Any]:
    ran = sparkform("models", *arguments, "--json")
    assert (ran.code, ran.err) == (0, "")
    printed: dict[str, Any] = json.loads(ran.out)
    return printed


def test_each_model_is_told_with_its_copies_and_who_asks_for_it(
    sparkform: Command, stack: Path, facts: Path
) -> None:
    models = read_models(sparkform, stack, "--facts", facts)["models"]
    assert [(model["handle"], model["wantedBy"]) for model in models] == [
        ("openai/gpt-oss-120b", ["services.main"]),
        ("Qwen/Qwen3-8B", ["cluster.models[0]"]),
        ("our/own-model", []),
    ]
    served, ahead, local = ([copy["state"] for copy in model["copies"]] for model in models)
    assert served == ["absent", "absent"]
    assert ahead == ["complete", "incomplete"]
    assert local == ["complete", "absent"]
    assert models[1]["copies"][1] == {
        "node": "spark-2",
        "state": "incomplete",
        "revision": REVISION,
        "gib": 4.0,
        "missing": ["model-00002.safetensors"],
    }


def test_what_fits_follows_the_memory_of_the_smallest_node(
    sparkform: Command, stack: Path, facts: Path, project: Path
) -> None:
    def fitting(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        printed = read_models(sparkform, file, "--facts", facts)
        requested = {model["handle"]: model["fitsOnNodes"] for model in printed["models"]}
        return requested, {model["handle"]: model["fitsOnNodes"] for model in printed["catalogue"]}

    tree = yaml.safe_load(stack.read_text())
    for node in tree["config"]["sparkform:cluster"]["nodes"]:
        node["memoryGib"] = 119
    stack.write_text(yaml.safe_dump(tree))
    requested, catalogue = fitting(stack)
    assert requested == {"openai/gpt-oss-120b": 1, "Qwen/Qwen3-8B": 1, "our/own-model": None}
    assert catalogue["openai/gpt-oss-120b"] == 1
    assert catalogue["nvidia/Qwen3-235B-A22B-FP4"] == 2
    tree["config"]["sparkform:cluster"]["nodes"][1]["memoryGib"] = 48
    stack.write_text(yaml.safe_dump(tree))
    requested, catalogue = fitting(stack)
    assert requested["openai/gpt-oss-120b"] == 2
    assert catalogue["nvidia/Qwen3-235B-A22B-FP4"] is None


def test_the_tables_say_the_same_in_words(sparkform: Command, stack: Path, facts: Path) -> None:
    lines = sparkform("models", stack, "--facts", facts).out.splitlines()
    (ahead,) = [line for line in lines if "cluster.models[0]" in line]
    assert "16 GiB at b968826d9c46" in ahead
    assert "4 GiB at b968826d9c46, lacks model-00002.safetensors" in ahead
    (local,) = [line for line in lines if "our/own-model" in line]
    assert "nothing" in local
    assert "its size is not known" in local


def test_a_rack_without_models_says_so(sparkform: Command, project: Path) -> None:
    ran = sparkform("models", write_stack(project), "--facts", FOLDER / f"{UP}.json")
    assert "No model lies on these nodes, and the stack requests none." in ran.out


def test_a_node_that_does_not_answer_is_told_and_the_others_are_shown(
    sparkform: Command, stack: Path, project: Path
) -> None:
    observation = change_report(load_recording(UP), "spark-1", ("facts", "models"), [QWEN])
    save_facts(silence_node(observation, "spark-2"), project / "facts.json")
    ran = sparkform("models", stack, "--facts", project / "facts.json", "--json")
    assert (ran.code, ran.err) == (1, "spark-2: spark-2 does not answer.; Look at it.\n")
    printed = json.loads(ran.out)
    assert printed["nodes"]["spark-2"]["answered"] is False
    ahead = next(model for model in printed["models"] if model["handle"] == "Qwen/Qwen3-8B")
    assert [copy["state"] for copy in ahead["copies"]] == ["complete", "unknown"]


def test_a_node_that_is_away_is_not_asked(sparkform: Command, project: Path, facts: Path) -> None:
    nodes = [{"name": "spark-1", "host": "10.87.153.11"}]
    nodes += [{"name": "spark-2", "host": "10.87.153.12", "away": True}]  # type: ignore[dict-item]
    save_facts(load_recording(UP), facts)
    printed = read_models(sparkform, write_stack(project, nodes=nodes), "--facts", facts)
    assert printed["models"] == []


def test_facts_without_a_stack_and_facts_that_lack_a_node_are_refused(
    sparkform: Command, project: Path, facts: Path
) -> None:
    ran = sparkform("models", "--facts", facts)
    assert (ran.code, ran.err.split(";")[0]) == (2, "--facts: requires a stack file")
    nodes = [{"name": "spark-9", "host": "b"}]
    assert sparkform("models", write_stack(project, nodes=nodes), "--facts", facts).code == 2


def test_what_of_the_catalogue_fits_is_listed_where_it_is_asked_for(
    sparkform: Command, stack: Path, facts: Path
) -> None:
    ran = sparkform("models", stack, "--facts", facts)
    assert "our/own-model" in ran.out
    assert "What fits on these" not in ran.out
    assert "What fits on these 2 nodes" in sparkform("models", stack, "--facts", facts, "--all").out
