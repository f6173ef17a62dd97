"""The services' engines: who runs, who died and how, whose token, and one completion a service.

A node is asked while it is observed (node.readiness.look), as for the packets of the fabric.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from node.host.labels import SERVICE
from node.host.plain import listing, mapping
from sparkform.config import Spec
from sparkform.doctor.check import Check, View
from sparkform.launch.places import api_key_file
from sparkform.report.facts import NodeDocument

STEP = "ready"
START = "`pulumi up` starts the whole service again"
DENIED = (401, 403)
TOKEN_SHOWN = 8
Json = Mapping[str, Any]


def request(spec: Spec, node: str) -> dict[str, object]:
    """What the step `ready` of one node is asked; empty where no service has a rank."""
    asked = [
        _question(spec, service, node) for service in spec.services if node in _names(spec, service)
    ]
    return {"services": asked} if asked else {}


def _question(spec: Spec, service: str, node: str) -> dict[str, object]:
    declared, names = spec.services[service], _names(spec, service)
    is_swarm = declared.runtime == "swarm" and node == spec.head.name
    ranks = range(len(names)) if is_swarm else ()
    return {
        "service": service,
        "asks": node == names[0],
        "served_name": spec.served_name(service),
        "bind": declared.bind,
        "address": _plain(spec.node(node).management_address),
        "port": declared.port,
        "key_file": api_key_file(service),
        "swarm_names": [f"sparkform-{service}-{rank}" for rank in ranks],
    }


def _plain(address: str | None) -> str | None:
    return address.partition("/")[0] if address else None


def _names(spec: Spec, service: str) -> list[str]:
    return [node.name for node in spec.service_nodes(service)]


def engines(view: View) -> Iterator[Check]:
    """A row for each service that has a rank on this node, and for engines of no service."""
    seen = mapping(view.document.steps.get(STEP))
    for service in view.spec.services:
        if view.node.name in _names(view.spec, service) and service in seen:
            yield from _service(view, service, mapping(seen[service]))
    yield from _strangers(view)


def _service(view: View, service: str, seen: Json) -> Iterator[Check]:
    name, here = f"service {service}", _names(view.spec, service).index(view.node.name)
    ranks = [mapping(one) for one in listing(seen.get("ranks"))]
    alive = [one for one in ranks if one.get("alive")]
    dead = [one for one in ranks if not one.get("alive")]
    for one in alive:
        yield view.ok(name, f"rank {here} runs as {one['name']}{_token(one)}")
    if not alive:
        yield from (_dead(view, name, here, one) for one in dead)
        if not dead:
            yield _missing(view, name, here, seen)
    for why in mapping(seen.get("not_placed")).values():
        yield view.fail(name, f"Swarm says: {why}", f"see the rows of Swarm's nodes; {START}")
    if alive and seen.get("completion"):
        yield _completion(view, name, mapping(seen["completion"]))


def _token(rank: Json) -> str:
    """The digest shortened; its count whole, as it tells one start from the next."""
    digest, _, count = str(rank.get("token") or "").rpartition("-")
    return f", token {digest[:TOKEN_SHOWN]}…-{count}" if digest else ""


def _dead(view: View, name: str, rank: int, one: Json) -> Check:
    last = [line for line in listing(one.get("last")) if str(line).strip()]
    words = "".join(f"\n| {line}" for line in last)
    said = f"rank {rank} is dead, {one['name']}: {one['ending']}{words}"
    return view.fail(name, said, f"`sparkform logs` shows all of it; {START}")


def _missing(view: View, name: str, rank: int, seen: Json) -> Check:
    logs = listing(seen.get("kept"))
    said = f"rank {rank} has no engine here" + (f"; the last log is {logs[-1]}" if logs else "")
    if view.is_ours:
        return view.fail(name, said, START)
    return view.warn(name, said, "`pulumi up` starts it")


def _completion(view: View, name: str, seen: Json) -> Check:
    if seen["status"] == 200:
        return view.ok(name, f"{seen['url']} completes one token in {seen['took_s']} s")
    if seen["status"] == 0:
        said = f"{seen['url']} gives no answer within {seen['took_s']} s: {seen['text']}"
        fix = f"it may still be starting or hang: `sparkform logs --follow`; {START}"
        return view.fail(name, said, fix)
    said = f"{seen['url']} answers {seen['status']} to a completion: {seen['text']}"
    fix = "`pulumi up` hands the key out again" if seen["status"] in DENIED else START
    return view.fail(name, said, fix)


def _strangers(view: View) -> Iterator[Check]:
    for one in view.facts.containers or ():
        service = one.labels.get(SERVICE)
        if service is not None and service not in view.spec.services:
            said = f"{one.name} is of service {service}, which is not declared"
            yield view.warn("engines", said, "`pulumi up` removes it, or `sudo docker rm --force`")


def groups(spec: Spec, documents: Mapping[str, NodeDocument]) -> Iterator[Check]:
    """Ranks of one service that were not started together do not find each other."""
    for service in spec.services:
        tokens = dict(_tokens(service, documents))
        if len(set(tokens.values())) > 1:
            listed = ", ".join(f"{node} {token}" for node, token in sorted(tokens.items()))
            said = f"its ranks are of different starts: {listed}"
            yield Check(None, f"service {service}", "fail", said, START)


def _tokens(service: str, documents: Mapping[str, NodeDocument]) -> Iterator[tuple[str, str]]:
    for node, document in documents.items():
        seen = mapping(mapping(document.steps.get(STEP)).get(service))
        for one in map(mapping, listing(seen.get("ranks"))):
            if one.get("alive") and one.get("token"):
                yield node, str(one["token"])


CHECKS = (engines,)
