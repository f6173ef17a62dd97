"""Which host keys are trusted from now on: never one that was not shown and accepted. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sparkform.errors import InputError, Problem
from sparkform.report.rack_report import Observation


@dataclass(frozen=True)
class HostKeyOffer:
    """The key that a node presented. `line` is "ssh-ed25519 AAAA…", `fingerprint` "SHA256:…"."""

    node: str
    line: str
    fingerprint: str
    is_known: bool


def list_offers(
    observation: Observation, fingerprints: Mapping[str, str]
) -> tuple[HostKeyOffer, ...]:
    """Known: known_hosts had it, so it was accepted before. `fingerprints` by key line.

    A key that differs from the known one is no offer: the node's error has the remedy.
    """
    listed = []
    for name, report in observation.nodes.items():
        kind = report.error.kind if report.error else None
        if report.host_key and kind != "changed_host_key":
            is_known = kind != "unknown_host_key"
            fingerprint = fingerprints[report.host_key]
            listed.append(HostKeyOffer(name, report.host_key, fingerprint, is_known))
    return tuple(listed)


def find_unaccepted(
    listed: Collection[HostKeyOffer], accepted: Collection[str]
) -> tuple[HostKeyOffer, ...]:
    """Unknown keys of which no fingerprint was given. `accepted` with or without "SHA256:"."""
    fingerprints = {f"SHA256:{text.removeprefix('SHA256:')}" for text in accepted}
    return tuple(
        offer for offer in listed if not offer.is_known and offer.fingerprint not in fingerprints
    )


def build_refusal(refused: Collection[HostKeyOffer], is_asked: bool) -> InputError:
    """Why the run ends here: the user declined, or stdin is not a terminal."""
    remedy = "compare it on the node's own console, then run again with --accept "
    unasked = "is unknown; confirmation required, but stdin is not a terminal"
    message = "was not accepted" if is_asked else unasked
    return InputError(
        [
            Problem(
                path=offer.node,
                message=f"its host key {message}",
                got=offer.fingerprint,
                because="a man-in-the-middle would get root on the node",
                remedy=remedy + offer.fingerprint,
            )
            for offer in refused
        ]
    )
