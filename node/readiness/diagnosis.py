"""The sentences of failures: what happened, what to do, what showed it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from node.ranks.rank import Rank, format_exit
from node.ranks.signatures import Signature
from node.readiness.failure import RankIdentity, StartFailure

START = "`pulumi up` starts the whole service again"


@dataclass(frozen=True)
class SignatureMatch:
    """A signature and the line that shows it."""

    signature: Signature
    line: str


def explain_signature(identity: RankIdentity, match: SignatureMatch) -> StartFailure:
    signature = match.signature
    return identity.build_failure(
        signature.id, signature.summary, signature.remedy, match.line.strip(), signature.rule
    )


def explain_death(
    identity: RankIdentity, rank: Rank | None, hint: SignatureMatch | None
) -> StartFailure:
    """`hint` is a line that explains a death that follows. `rank` null: it is gone."""
    is_killed_for_memory = rank is not None and rank.killed_for_memory
    if hint and not (is_killed_for_memory and hint.signature.is_symptom):
        return explain_signature(identity, hint)
    if rank is None:
        return identity.build_failure(
            "removed",
            f"the engine on {identity.node} was removed during its start",
            START,
            "the container or unit is gone, or another has taken its place",
        )
    symptom = format_exit(rank)
    if is_killed_for_memory:
        remedy = "`sparkform fit MODEL` has the sizes: lower maxSeqLen or the memory share"
        return identity.build_failure(
            "out-of-memory", "the engine is out of memory", remedy, symptom, "mem-fit"
        )
    remedy = f"see the last lines below; {START}"
    return identity.build_failure(
        "dead-rank", f"the engine on {identity.node} exited", remedy, symptom
    )


def explain_absence(identity: RankIdentity, limit_s: float) -> StartFailure:
    return identity.build_failure(
        "no-member",
        f"the engine on {identity.node} did not start",
        "`sudo docker ps -a`, in a Swarm `sudo docker service ps` on the head; `pulumi up`",
        f"no rank with this service's token within {limit_s:g} s",
    )


def explain_silence(identity: RankIdentity, limit_s: float, symptom: str) -> StartFailure:
    return identity.build_failure(
        "silence",
        f"engine stalled: no output for {limit_s:g} s",
        "see the end of the kept log; for a slower start set silenceTimeoutSeconds",
        symptom,
    )


def explain_lateness(identity: RankIdentity, limit_s: float, symptom: str) -> StartFailure:
    return identity.build_failure(
        "not-ready",
        f"the service does not answer after {limit_s:g} s",
        "for a slower start set readyTimeoutSeconds",
        symptom,
    )


def explain_refusal(identity: RankIdentity, reply: str) -> StartFailure:
    return identity.build_failure(
        "no-completion",
        "the API is open but completes no request",
        "see the end of the kept log; 401 or 403: `pulumi up` hands the key out again",
        reply,
    )


def explain_placement(identity: RankIdentity, error: str, is_room_missing: bool) -> StartFailure:
    return identity.build_failure(
        "not-placed",
        f"Swarm does not start the engine on {identity.node}",
        "`sparkform doctor` checks Swarm's nodes, their labels and their GPUs",
        error,
        "swarm-toolkit" if is_room_missing else None,
    )


def format_progress(stage: str | None, unknown: str | None) -> str:
    """
    >>> format_progress("loading, 40 %", None)
    'stage: loading, 40 %'
    """
    progress = f"stage: {stage or 'none'}"
    return f"{progress}; {unknown}" if unknown else progress
