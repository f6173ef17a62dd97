"""Which node gets which model from where."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_interface
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.steps.model import VERIFIED
from sparkform.catalogue.store import find_revision
from sparkform.config import Declaration, parse_config
from sparkform.plan.models import list_required_models
from sparkform.plan.rack import plan_rack
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.steps import PlannedStep
from sparkform.report.facts import NodeReport
from tests.support.planning import (
    STACK,
    build_declaration,
    build_plan,
    get_agent_sha256,
    load_reports,
)
from tests.unit.config.support import build_cluster, vllm

HANDLE, SLUG = "acme/tiny", "acme--tiny"
RACKS = [("direct", 2), ("switch", 3)]


def list_transfer_steps(plan: RackPlan) -> list[PlannedStep]:
    """The steps that models need, the key's too."""
    return [*plan.models.steps, *plan.keys.values()]


def list_wants(plan: RackPlan, node: str) -> dict[str, dict[str, Any]]:
    """Want by step, of the steps that bring models to a node."""
    return {
        step.step: json.loads(step.decision.document)["want"]
        for step in list_transfer_steps(plan)
        if step.node == node
    }


def apply_plan(reports: dict[str, NodeReport], plan: RackPlan) -> dict[str, NodeReport]:
    """What the nodes would report once the steps of the models have done their work."""
    applied_reports = {}
    for name, report in reports.items():
        node_steps = [step for step in list_transfer_steps(plan) if step.node == name]
        receipts = {**report.receipts, **{step.step: step.decision.document for step in node_steps}}
        steps: Any = dict(report.steps)
        for step in node_steps:
            want = json.loads(step.decision.document)["want"]
            if step.step.startswith("model:"):
                state = {"root": f"{want['cache']}/models--{SLUG}", "commit": 40 * "a"}
                model = {**state, "revision": "main", "changed": []}
                steps["model"] = {"models": {HANDLE: model}, "whole": []}
            else:
                steps[step.step.partition(":")[0]] = want
        applied_reports[name] = report.model_copy(update={"receipts": receipts, "steps": steps})
    return applied_reports


@pytest.mark.parametrize(("topology", "count"), RACKS)
def test_the_first_node_downloads_and_the_others_fetch_over_the_fabric(
    topology: str, count: int
) -> None:
    declaration = build_declaration(topology, count, models=[HANDLE])
    plan = build_plan(declaration, load_reports(f"{topology}-{count}-up"))
    head = list_wants(plan, "spark-1")
    assert set(head) == {"hub_client", "transfer_key", f"model:{SLUG}", f"offer:model-{SLUG}"}
    assert head[f"model:{SLUG}"]["source"]["kind"] == "hub"
    listen = head[f"offer:model-{SLUG}"]["listen"]
    for node in declaration.nodes[1:]:
        (want,) = list_wants(plan, node.name).values()
        source = want["source"]
        assert source["kind"] == "peer"
        assert source["addresses"]
        assert set(source["addresses"]) <= set(listen)
        networks = [ip_interface(interface).network for interface in source["own"]]
        assert all(
            any(ip_address(address) in network for network in networks)
            for address in source["addresses"]
        )
        assert all(ip_address(address) in get_pool(declaration) for address in source["addresses"])


def get_pool(declaration: Declaration) -> Any:
    from ipaddress import ip_network

    return ip_network(declaration.cluster.fabric.pool)


@pytest.mark.parametrize(("topology", "count"), RACKS)
def test_models_that_are_there_are_in_sync_and_one_that_is_lost_wakes_its_offer_only(
    topology: str, count: int
) -> None:
    declaration = build_declaration(topology, count, models=[HANDLE])
    reports = load_reports(f"{topology}-{count}-up")
    sha256 = get_agent_sha256(reports)
    applied_reports = apply_plan(reports, build_plan(declaration, reports, sha256))
    again = build_plan(declaration, applied_reports, sha256)
    assert [step.lines for step in again.models.steps if not step.decision.in_sync] == []

    last = declaration.nodes[-1].name
    lost: Any = {**applied_reports[last].steps, "model": {"models": {}, "whole": []}}
    applied_reports[last] = applied_reports[last].model_copy(update={"steps": lost})
    plan = build_plan(declaration, applied_reports, sha256)
    assert sorted(line for step in plan.models.steps for line in step.lines) == [
        f"spark-1 offer:model-{SLUG}: model:{SLUG} will be offered to {last}",
        f"{last} model:{SLUG}: {HANDLE} is missing, will be copied from spark-1",
    ]


def test_a_node_with_another_commit_than_the_source_fetches_its_own_again() -> None:
    declaration = build_declaration("direct", 2, models=[HANDLE])
    reports = load_reports("direct-2-up")
    applied_reports = apply_plan(reports, build_plan(declaration, reports))
    state: Any = json.loads(json.dumps(applied_reports["spark-2"].steps["model"]))
    state["models"][HANDLE]["commit"] = 40 * "b"
    steps = {**applied_reports["spark-2"].steps, "model": state}
    applied_reports["spark-2"] = applied_reports["spark-2"].model_copy(update={"steps": steps})
    lines = [
        line
        for step in build_plan(declaration, applied_reports).models.steps
        for line in step.lines
    ]
    assert any("is at bbbbbbbb, spark-1 has aaaaaaaa" in line for line in lines)


def test_one_node_offers_nothing() -> None:
    declaration = build_declaration("none", 1, models=[HANDLE])
    reports = {"spark-1": load_reports("direct-2-untouched")["spark-1"]}
    assert list(list_wants(build_plan(declaration, reports), "spark-1")) == [
        "hub_client",
        f"model:{SLUG}",
    ]


def test_without_models_there_is_no_step_for_any() -> None:
    assert (
        build_plan(build_declaration("direct", 2), load_reports("direct-2-up")).models.steps == ()
    )


def test_the_catalogue_pins_what_it_knows_and_nothing_else() -> None:
    assert find_revision(HANDLE) is None
    declaration = build_declaration("direct", 2, models=[HANDLE])
    plan = build_plan(declaration, load_reports("direct-2-untouched"))
    want = list_wants(plan, "spark-1")[f"model:{SLUG}"]
    assert (want["revision"], want["fetch"], want["state"]) == (None, "main", VERIFIED)


SERVICE = {"engine": "vllm", "runtime": "container", "image": "a/b:1", "port": 8000}


def build_services(*revisions: str | None) -> Declaration:
    nodes = [{"name": f"spark-{number}", "host": f"10.0.0.{number}"} for number in range(1, 9)]
    block = {"user": "nvidia", "nodes": nodes, "fabric": {"topology": "switch"}}
    blocks = {
        f"s{number}": {
            **SERVICE,
            "port": 8000 + number,
            "model": HANDLE,
            "nodes": [f"spark-{number + 1}"],
            **({"revision": revision} if revision else {}),
        }
        for number, revision in enumerate(revisions)
    }
    return parse_config(block, blocks)


def test_a_draft_is_brought_like_the_model_to_all_nodes_of_its_service() -> None:
    block = build_services(None).to_plain()
    block["services"]["s0"]["speculative"] = {
        "method": "eagle3",
        "tokens": 3,
        "model": "acme/draft",
    }
    declaration = parse_config(block["cluster"], block["services"])
    assert {
        required.handle: required.nodes for required in list_required_models(declaration)[0]
    } == {
        HANDLE: ("spark-1",),
        "acme/draft": ("spark-1",),
    }
    assert declaration.services["s0"].fetched_models == (HANDLE, "acme/draft")


def test_one_model_at_two_revisions_is_refused() -> None:
    declaration = build_services("v1", "v2")
    (problem,) = list_required_models(declaration)[1]
    assert "names acme/tiny at revision v2" in str(problem)
    assert problem in plan_rack(declaration, {}, STACK, "x").problems


@given(st.lists(st.just("v1"), max_size=8))
def test_a_model_that_several_services_name_is_brought_once_to_all_their_nodes(
    revisions: list[str],
) -> None:
    models, problems = list_required_models(build_services(*revisions))
    assert problems == []
    nodes = tuple(f"spark-{number + 1}" for number in range(len(revisions)))
    assert [required.nodes for required in models] == ([nodes] if nodes else [])


def test_adapters_are_brought_like_the_model_they_are_for() -> None:
    adapters = [{"name": "law", "model": "owner/law"}, {"name": "code", "model": "owner/code"}]
    block = vllm(nodes=["spark-2"], model="Qwen/Qwen3-8B", adapters=adapters)
    declaration = parse_config(build_cluster(2), {"oss": block})
    models, problems = list_required_models(declaration)
    assert problems == []
    assert [(model.handle, model.nodes, model.path) for model in models] == [
        ("owner/law", ("spark-2",), "services.oss.adapters[0].model"),
        ("owner/code", ("spark-2",), "services.oss.adapters[1].model"),
        ("Qwen/Qwen3-8B", ("spark-2",), "services.oss.model"),
    ]
