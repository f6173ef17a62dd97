"""Fact `firewall`: would this node turn away a connection to a port of ours.

    {"active": true, "because": ["ip filter INPUT: policy drop"]}

Both views of the kernel are read: `nft` shows native tables and what ufw, firewalld and iptables
made through nftables; `iptables -S` also shows the old kernel tables where a system still uses
them. Active means: a chain on the input hook drops by policy, or a rule reachable from one drops
or rejects without asking for a source address or a connection state. Bans of single addresses
(fail2ban) do not count.
"""

from __future__ import annotations

from collections.abc import Iterator

from node.facts.reading import Look, Request, Unreadable
from node.facts.values import items, json_value, mapping

_VERDICTS = {"drop", "reject"}
_TARGETS = {"DROP", "REJECT"}
_NARROW_OPTIONS = {"-s", "--source", "--ctstate", "--state", "--match-set"}


def read(look: Look, request: Request) -> object:
    return parse(
        nft=look.command_or_none("nft", "-j", "list", "ruleset"),
        iptables=look.command_or_none("iptables", "-S"),
    )


def parse(nft: str | None, iptables: str | None) -> object:
    if nft is None and iptables is None:
        raise Unreadable("neither nft nor iptables answers")
    because = [*_nft_reasons(nft), *_iptables_reasons(iptables or "")]
    return {"active": bool(because), "because": sorted(set(because))}


def _nft_reasons(nft: str | None) -> Iterator[str]:
    if not nft:
        return
    parts = [mapping(item) for item in items(mapping(json_value(nft, "nft")).get("nftables"))]
    chains = [mapping(part["chain"]) for part in parts if "chain" in part]
    rules = [mapping(part["rule"]) for part in parts if "rule" in part]
    entries = [chain for chain in chains if chain.get("hook") == "input"]
    for chain in entries:
        if chain.get("policy") == "drop":
            yield f"{_where(chain, 'name')}: policy drop"
    reached = _reached({_where(chain, "name") for chain in entries}, _nft_jumps(rules))
    for rule in rules:
        if _where(rule, "chain") in reached and _nft_turns_away(rule):
            yield f"{_where(rule, 'chain')}: a rule turns connections away"


def _where(part: dict[str, object], name: str) -> str:
    return f"{part.get('family')} {part.get('table')} {part.get(name)}"


def _nft_jumps(rules: list[dict[str, object]]) -> list[tuple[str, str]]:
    return [
        (
            _where(rule, "chain"),
            _where({**rule, "chain": mapping(step[kind]).get("target")}, "chain"),
        )
        for rule in rules
        for step in map(mapping, items(rule.get("expr")))
        for kind in ("jump", "goto")
        if kind in step
    ]


def _nft_turns_away(rule: dict[str, object]) -> bool:
    steps = [mapping(step) for step in items(rule.get("expr"))]
    verdict = any(_VERDICTS & set(step) or _xt_name(step) in _TARGETS for step in steps)
    return verdict and not any(_nft_narrow(step) for step in steps)


def _xt_name(step: dict[str, object]) -> object:
    return mapping(step.get("xt")).get("name")


def _nft_narrow(step: dict[str, object]) -> bool:
    left = mapping(mapping(mapping(step.get("match")).get("left")))
    source = mapping(left.get("payload")).get("field") == "saddr"
    state = mapping(left.get("ct")).get("key") == "state"
    return source or state or _xt_name(step) in ("set", "conntrack", "state")


def _iptables_reasons(iptables: str) -> Iterator[str]:
    rules = [line.split() for line in iptables.splitlines()]
    appended = [rule for rule in rules if len(rule) > 2 and rule[0] == "-A"]
    jumps = [(rule[1], target) for rule in appended if (target := _target(rule))]
    if ["-P", "INPUT", "DROP"] in rules:
        yield "ip filter INPUT: policy drop"
    for rule in appended:
        narrow = _NARROW_OPTIONS & set(rule)
        if rule[1] in _reached({"INPUT"}, jumps) and _target(rule) in _TARGETS and not narrow:
            yield f"ip filter {rule[1]}: a rule turns connections away"


def _target(rule: list[str]) -> str | None:
    places = [place for place, word in enumerate(rule[:-1]) if word in ("-j", "-g")]
    return rule[places[0] + 1] if places else None


def _reached(start: set[str], jumps: list[tuple[str, str]]) -> set[str]:
    reached = set(start)
    while more := {end for begin, end in jumps if begin in reached} - reached:
        reached |= more
    return reached
