"""`doctor --bandwidth`: one cable after the other is measured, and its figures join the facts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import ValidationError

from sparkform.commands.live_report import PassphraseSource, is_locked
from sparkform.doctor import Check
from sparkform.fabric.measuring import CablePair, build_halves, list_pairs
from sparkform.fabric.network import Network, Reports
from sparkform.report.facts import MeasuredCable, NodeReport
from sparkform.report.rack_report import NodeError, Observation
from sparkform.ssh.target import Target, VerbRequest
from sparkform.ssh.watching import query_documents

VERB, SECONDS, LIMIT_S = "bandwidth", 2, 20.0
PREFERRED = ("ib_write_bw", "iperf3")
NO_TOOL = "neither ib_write_bw nor iperf3 is on both nodes"
Tools = tuple[str, ...] | NodeError


def measure_cables(
    network: Network, observation: Observation, targets: Sequence[Target], ask: PassphraseSource
) -> tuple[Observation, list[Check]]:
    """The observation with what was measured, and a row for each cable that could not be. `ask` is
    asked where a node's key needs it."""
    pairs, rows = list_pairs(network), []
    nodes = {name for pair in pairs for name in (pair.sender, pair.server)}
    concerned = [target for target in targets if target.name in nodes]
    tools = _query_tools(concerned)
    locked = [target for target in concerned if is_locked(tools[target.name], target)]
    passphrase = ask() if locked else None
    by_name = {target.name: target for target in concerned}
    if passphrase is not None:
        opened = [replace(target, passphrase=passphrase) for target in locked]
        by_name |= {target.name: target for target in opened}
        tools |= _query_tools(opened)
    for pair in pairs:
        answer = _measure(pair, tools, network, observation.reports, by_name)
        if isinstance(answer, MeasuredCable):
            observation = add_bandwidth(observation, pair.sender, answer)
        else:
            rows.append(_build_row(pair, answer))
    return observation, rows


def add_bandwidth(observation: Observation, node: str, measured: MeasuredCable) -> Observation:
    """In the place of what was measured of this cable before."""
    result = observation.nodes[node]
    if result.report is None:
        return observation
    facts = result.report.facts
    others = [other for other in facts.bandwidth or () if other.cable != measured.cable]
    changed = facts.model_copy(update={"bandwidth": (*others, measured)})
    report: NodeReport = result.report.model_copy(update={"facts": changed})
    nodes = {**observation.nodes, node: result.model_copy(update={"report": report})}
    return observation.model_copy(update={"nodes": nodes})


def _build_row(pair: CablePair, reason: str) -> Check:
    fix = (
        "`sudo apt install perftest iperf3` on both nodes" if reason == NO_TOOL else "run it again"
    )
    return Check(pair.sender, VERB, "warn", f"{pair.cable}: not measured: {reason}", fix)


def _query_tools(targets: Sequence[Target]) -> dict[str, Tools]:
    requests = {target.name: VerbRequest(VERB, {"role": "tools"}) for target in targets}
    answers = query_documents(requests, targets)
    return {
        name: answer if isinstance(answer, NodeError) else tuple(json.loads(answer)["tools"])
        for name, answer in answers.items()
    }


def choose_tool(pair: CablePair, tools: Mapping[str, Tools]) -> str | NodeError:
    """One that both ends have, RDMA before TCP; empty where there is none, or why an end does not
    say."""
    ends = [tools[pair.sender], tools[pair.server]]
    for end in ends:
        if isinstance(end, NodeError):
            return end
    return next((tool for tool in PREFERRED if all(tool in tuple(end) for end in ends)), "")


def _measure(
    pair: CablePair,
    tools: Mapping[str, Tools],
    network: Network,
    reports: Reports,
    targets: Mapping[str, Target],
) -> MeasuredCable | str:
    """The figures, or why there are none."""
    tool = choose_tool(pair, tools)
    if isinstance(tool, NodeError):
        return tool.what
    if not tool:
        return NO_TOOL
    requests = {
        node: build_request(pair, node, tool, network, reports)
        for node in (pair.sender, pair.server)
    }
    answers = query_documents(requests, [targets[name] for name in requests], LIMIT_S)
    answer = answers[pair.sender]
    if isinstance(answer, NodeError):
        return answer.what
    try:
        return MeasuredCable.model_validate_json(answer)
    except ValidationError:
        return "the node returned invalid output"


def build_request(
    pair: CablePair, node: str, tool: str, network: Network, reports: Reports
) -> VerbRequest:
    is_sender = node == pair.sender
    request = {
        "role": "send" if is_sender else "serve",
        "tool": tool,
        "cable": pair.cable,
        "peer": pair.server if is_sender else pair.sender,
        "seconds": SECONDS,
        "halves": build_halves(pair, node, network, reports),
    }
    return VerbRequest(VERB, request)
