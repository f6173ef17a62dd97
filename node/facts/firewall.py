"""Fact `firewall`: does this node reject connections to our ports.

    {"active": true, "because": ["ip filter INPUT: policy drop"]}

Both views of the kernel are read: `nft` shows native tables and what ufw, firewalld and iptables
made through nftables; `iptables -S` also shows the old kernel tables where a system still uses
them. Active means: a chain on the input hook drops by policy, or a rule reachable from one drops
or rejects without asking for a source address or a connection state. Bans of single addresses
(fail2ban) do not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import parse_json, to_list, to_mapping

_VERDICTS = {"drop", "reject"}
_TARGETS = {"DROP", "REJECT"}
_NARROW_OPTIONS = {"-s", "--source", "--ctstate", "--state", "--match-set"}


class FirewallFact(TypedDict):
    active: bool
    because: list[str]


def read(reader: FactReader, request: FactRequest) -> FirewallFact:
    return parse(
        nft=reader.run_command_or_none("nft", "-j", "list", "ruleset"),
        iptables=reader.run_command_or_none("iptables", "-S"),
    )


def parse(nft: str | None, iptables: str | None) -> FirewallFact:
    if nft is None and iptables is None:
        raise UnreadableFact("nft and iptables both failed")
    because = [*_find_nft_reasons(nft), *_find_iptables_reasons(iptables or "")]
    return {"active": bool(because), "because": sorted(set(because))}


def _find_nft_reasons(nft: str | None) -> Iterator[str]:
    if not nft:
        return
    parts = [
        to_mapping(item) for item in to_list(to_mapping(parse_json(nft, "nft")).get("nftables"))
    ]
    chains = [to_mapping(part["chain"]) for part in parts if "chain" in part]
    rules = [to_mapping(part["rule"]) for part in parts if "rule" in part]
    entries = [chain for chain in chains if chain.get("hook") == "input"]
    for chain in entries:
        if chain.get("policy") == "drop":
            yield f"{_format_chain(chain, 'name')}: policy drop"
    reached = _list_reached_chains(
        {_format_chain(chain, "name") for chain in entries}, _list_nft_jumps(rules)
    )
    for rule in rules:
        if _format_chain(rule, "chain") in reached and _is_nft_block(rule):
            yield f"{_format_chain(rule, 'chain')}: a rule turns connections away"


def _format_chain(part: dict[str, object], name: str) -> str:
    return f"{part.get('family')} {part.get('table')} {part.get(name)}"


def _list_nft_jumps(rules: list[dict[str, object]]) -> list[tuple[str, str]]:
    return [
        (
            _format_chain(rule, "chain"),
            _format_chain({**rule, "chain": to_mapping(step[kind]).get("target")}, "chain"),
        )
        for rule in rules
        for step in map(to_mapping, to_list(rule.get("expr")))
        for kind in ("jump", "goto")
        if kind in step
    ]


def _is_nft_block(rule: dict[str, object]) -> bool:
    steps = [to_mapping(step) for step in to_list(rule.get("expr"))]
    verdict = any(_VERDICTS & set(step) or _get_xt_name(step) in _TARGETS for step in steps)
    return verdict and not any(_is_nft_narrow(step) for step in steps)


def _get_xt_name(step: dict[str, object]) -> object:
    return to_mapping(step.get("xt")).get("name")


def _is_nft_narrow(step: dict[str, object]) -> bool:
    operand = to_mapping(to_mapping(to_mapping(step.get("match")).get("left")))
    source = to_mapping(operand.get("payload")).get("field") == "saddr"
    state = to_mapping(operand.get("ct")).get("key") == "state"
    return source or state or _get_xt_name(step) in ("set", "conntrack", "state")


def _find_iptables_reasons(iptables: str) -> Iterator[str]:
    rules = [line.split() for line in iptables.splitlines()]
    appended = [rule for rule in rules if len(rule) > 2 and rule[0] == "-A"]
    jumps = [(rule[1], target) for rule in appended if (target := _find_target(rule))]
    if ["-P", "INPUT", "DROP"] in rules:
        yield "ip filter INPUT: policy drop"
    for rule in appended:
        narrow = _NARROW_OPTIONS & set(rule)
        if (
            rule[1] in _list_reached_chains({"INPUT"}, jumps)
            and _find_target(rule) in _TARGETS
            and not narrow
        ):
            yield f"ip filter {rule[1]}: a rule turns connections away"


def _find_target(rule: list[str]) -> str | None:
    positions = [position for position, option in enumerate(rule[:-1]) if option in ("-j", "-g")]
    return rule[positions[0] + 1] if positions else None


def _list_reached_chains(start: set[str], jumps: list[tuple[str, str]]) -> set[str]:
    reached = set(start)
    while (
        next_chains := {destination for source, destination in jumps if source in reached} - reached
    ):
        reached |= next_chains
    return reached
