"""Which node gets which model from where."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_interface
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.steps.model import WHOLE
from sparkform.config import Spec, parse_config
from sparkform.plan.models import pinned, wishes
from sparkform.plan.rack import RackPlan, plan_rack
from sparkform.plan.steps import PlannedStep
from sparkform.report.facts import NodeDocument
from tests.support.planning import STACK, declared, installed, planned, recorded

HANDLE, SLUG = "acme/tiny", "acme--tiny"
RACKS = [("direct", 2), ("switch", 3)]


def brought(plan: RackPlan) -> list[PlannedStep]:
    """The steps that models need, the key's too."""
    return [*plan.models.steps, *plan.keys.values()]


def model_steps(plan: RackPlan, node: str) -> dict[str, dict[str, Any]]:
    """Want by step, of the steps that bring models to a node."""
    return {
        step.step: json.loads(step.decision.document)["want"]
        for step in brought(plan)
        if step.node == node
    }


def applied(documents: dict[str, NodeDocument], plan: RackPlan) -> dict[str, NodeDocument]:
    """What the nodes would report once the steps of the models have done their work."""
    found = {}
    for name, document in documents.items():
        own = [step for step in brought(plan) if step.node == name]
        receipts = {**document.receipts, **{one.step: one.decision.document for one in own}}
        steps: Any = dict(document.steps)
        for one in own:
            want = json.loads(one.decision.document)["want"]
            if one.step.startswith("model:"):
                seen = {"root": f"{want['cache']}/models--{SLUG}", "commit": 40 * "a"}
                model = {**seen, "revision": "main", "changed": []}
                steps["model"] = {"models": {HANDLE: model}, "whole": []}
            else:
                steps[one.step.partition(":")[0]] = want
        found[name] = document.model_copy(update={"receipts": receipts, "steps": steps})
    return found


@pytest.mark.parametrize(("topology", "count"), RACKS)
def test_the_first_node_downloads_and_the_others_fetch_over_the_fabric(
    topology: str, count: int
) -> None:
    spec = declared(topology, count, models=[HANDLE])
    plan = planned(spec, recorded(f"{topology}-{count}-up"))
    head = model_steps(plan, "spark-1")
    assert set(head) == {"hub_client", "spread_key", f"model:{SLUG}", f"offer:model-{SLUG}"}
    assert head[f"model:{SLUG}"]["source"]["kind"] == "hub"
    listen = head[f"offer:model-{SLUG}"]["listen"]
    for node in spec.nodes[1:]:
        (want,) = model_steps(plan, node.name).values()
        source = want["source"]
        assert source["kind"] == "peer"
        assert source["addresses"]
        assert set(source["addresses"]) <= set(listen)
        networks = [ip_interface(own).network for own in source["own"]]
        assert all(any(ip_address(a) in one for one in networks) for a in source["addresses"])
        assert all(ip_address(a) in spec_pool(spec) for a in source["addresses"])


def spec_pool(spec: Spec) -> Any:
    from ipaddress import ip_network

    return ip_network(spec.cluster.fabric.pool)


@pytest.mark.parametrize(("topology", "count"), RACKS)
def test_models_that_are_there_are_in_sync_and_one_that_is_lost_wakes_its_offer_only(
    topology: str, count: int
) -> None:
    spec = declared(topology, count, models=[HANDLE])
    documents = recorded(f"{topology}-{count}-up")
    sha256 = installed(documents)
    there = applied(documents, planned(spec, documents, sha256))
    again = planned(spec, there, sha256)
    assert [step.lines for step in again.models.steps if not step.decision.in_sync] == []

    last = spec.nodes[-1].name
    lost: Any = {**there[last].steps, "model": {"models": {}, "whole": []}}
    there[last] = there[last].model_copy(update={"steps": lost})
    plan = planned(spec, there, sha256)
    assert sorted(line for step in plan.models.steps for line in step.lines) == [
        f"spark-1 offer:model-{SLUG}: model:{SLUG} will be offered to {last}",
        f"{last} model:{SLUG}: {HANDLE} is missing, will be copied from spark-1",
    ]


def test_a_node_with_another_commit_than_the_source_fetches_its_own_again() -> None:
    spec = declared("direct", 2, models=[HANDLE])
    documents = recorded("direct-2-up")
    there = applied(documents, planned(spec, documents))
    seen: Any = json.loads(json.dumps(there["spark-2"].steps["model"]))
    seen["models"][HANDLE]["commit"] = 40 * "b"
    steps = {**there["spark-2"].steps, "model": seen}
    there["spark-2"] = there["spark-2"].model_copy(update={"steps": steps})
    said = [line for step in planned(spec, there).models.steps for line in step.lines]
    assert any("is at bbbbbbbb, spark-1 has aaaaaaaa" in line for line in said)


def test_one_node_offers_nothing() -> None:
    spec = declared("none", 1, models=[HANDLE])
    documents = {"spark-1": recorded("direct-2-untouched")["spark-1"]}
    assert list(model_steps(planned(spec, documents), "spark-1")) == [
        "hub_client",
        f"model:{SLUG}",
    ]


def test_without_models_there_is_no_step_for_any() -> None:
    assert planned(declared("direct", 2), recorded("direct-2-up")).models.steps == ()


def test_the_catalogue_pins_what_it_knows_and_nothing_else() -> None:
    assert pinned(HANDLE) is None
    spec = declared("direct", 2, models=[HANDLE])
    plan = planned(spec, recorded("direct-2-untouched"))
    want = model_steps(plan, "spark-1")[f"model:{SLUG}"]
    assert (want["revision"], want["fetch"], want["state"]) == (None, "main", WHOLE)


SERVICE = {"engine": "vllm", "runtime": "container", "image": "a/b:1", "port": 8000}


def services(*revisions: str | None) -> Spec:
    nodes = [{"name": f"spark-{at}", "host": f"10.0.0.{at}"} for at in range(1, 9)]
    block = {"user": "nvidia", "nodes": nodes, "fabric": {"topology": "switch"}}
    made = {
        f"s{at}": {
            **SERVICE,
            "port": 8000 + at,
            "model": HANDLE,
            "nodes": [f"spark-{at + 1}"],
            **({"revision": revision} if revision else {}),
        }
        for at, revision in enumerate(revisions)
    }
    return parse_config(block, made)


def test_a_draft_is_brought_like_the_model_to_all_nodes_of_its_service() -> None:
    block = services(None).plain()
    block["services"]["s0"]["speculative"] = {
        "method": "eagle3",
        "tokens": 3,
        "model": "acme/draft",
    }
    spec = parse_config(block["cluster"], block["services"])
    assert {one.handle: one.nodes for one in wishes(spec)[0]} == {
        HANDLE: ("spark-1",),
        "acme/draft": ("spark-1",),
    }
    assert spec.services["s0"].fetched_models == (HANDLE, "acme/draft")


def test_one_model_at_two_revisions_is_refused() -> None:
    spec = services("v1", "v2")
    (problem,) = wishes(spec)[1]
    assert "names acme/tiny at revision v2" in str(problem)
    assert problem in plan_rack(spec, {}, STACK, "x").problems


@given(st.lists(st.just("v1"), max_size=8))
def test_a_model_that_several_services_name_is_brought_once_to_all_their_nodes(
    revisions: list[str],
) -> None:
    found, problems = wishes(services(*revisions))
    assert problems == []
    nodes = tuple(f"spark-{at + 1}" for at in range(len(revisions)))
    assert [one.nodes for one in found] == ([nodes] if nodes else [])
