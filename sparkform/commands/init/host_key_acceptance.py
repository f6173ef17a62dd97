"""Which host keys are to be trusted from now on: never one that nobody was shown. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sparkform.errors import InputError, Problem
from sparkform.report.rack_report import Observation


@dataclass(frozen=True)
class Offer:
    """The key that a node showed. `line` is "ssh-ed25519 AAAA…", `fingerprint` "SHA256:…"."""

    node: str
    line: str
    fingerprint: str
    is_known: bool


def offers(seen: Observation, fingerprints: Mapping[str, str]) -> tuple[Offer, ...]:
    """Known: known_hosts had it, so somebody accepted it before. `fingerprints` by key line.

    A key that differs from the known one is no offer: the node's error says what to do.
    """
    found = []
    for name, report in seen.nodes.items():
        kind = report.error.kind if report.error else None
        if report.host_key and kind != "changed_host_key":
            is_known = kind != "unknown_host_key"
            print_of = fingerprints[report.host_key]
            found.append(Offer(name, report.host_key, print_of, is_known))
    return tuple(found)


def unaccepted(found: Collection[Offer], accepted: Collection[str]) -> tuple[Offer, ...]:
    """Unknown keys of which no fingerprint was given. `accepted` with or without "SHA256:"."""
    given = {f"SHA256:{one.removeprefix('SHA256:')}" for one in accepted}
    return tuple(one for one in found if not one.is_known and one.fingerprint not in given)


def refuse(found: Collection[Offer], is_asked: bool) -> InputError:
    """Why the run ends here: somebody said no, or nobody was there to be asked."""
    remedy = "compare on the node's own console, then run again with --accept "
    what = "was not accepted" if is_asked else "is not known, and nobody is there to be asked"
    return InputError(
        [
            Problem(
                path=one.node,
                what=f"its host key {what}",
                got=one.fingerprint,
                because="whoever sits in between would get root on the node",
                remedy=remedy + one.fingerprint,
            )
            for one in found
        ]
    )
