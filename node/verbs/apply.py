"""The verb `apply STEP`: bring one step to what its document wants, then keep the document."""

from __future__ import annotations

from collections.abc import Sequence

from node.errors import Refusal
from node.host.system import System
from node.ranks import member_ends
from node.state import claim, document, lock, manifest, receipts
from node.state.manifest import Journal
from node.steps import STEPS

ANSWERS = ("swarm_token", "swarm_network", "launch_keys", "spread_key")
"""Steps whose output another step reads: nothing else may stand in it."""

WITHOUT_LOCK = ("hub_client", "model", "image", "offer", "ready")
"""Steps that wait long and change nothing that the lock guards: others may work meanwhile."""

HOLDS_S = {"native_venv": 7200.0, "native_nccl": 1800.0}
"""Steps that fetch gigabytes while they hold the lock, and how long others wait for them: 3.6 GiB
take an hour and a half at 6 Mbit/s."""


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """Lines that say what was done. Raises Refusal."""
    if len(arguments) != 1 or arguments[0] not in STEPS:
        raise Refusal(f"`apply` needs one step out of {', '.join(STEPS)}.")
    return apply(system, arguments[0], document.parse(stdin))


def apply(system: System, step: str, wanted: document.Document) -> list[str]:
    if step.partition(":")[0] in WITHOUT_LOCK:
        return _without_lock(system, step, wanted)
    tell = lock.silently if step.partition(":")[0] in ANSWERS else lock.aloud
    holds_s = HOLDS_S.get(step, 0.0)
    with lock.held(system, f"apply {step} for {wanted.owner}", tell=tell, holds_s=holds_s):
        claim.require(system, wanted.owner)
        done = _take_over(system, step, wanted.owner)
        done += _stop_engines(system, wanted.stops)
        done += STEPS[step].apply(Journal(system, step, wanted.owner), wanted.want, wanted.secret)
        receipts.write(system, step, wanted.text)
    return done or ["nothing to do"]


def _stop_engines(system: System, services: Sequence[str]) -> list[str]:
    """What the step disturbs ends in order before it does."""
    if not services:
        return []
    return member_ends.stop(system, lambda one: one.service in services)


def _without_lock(system: System, step: str, wanted: document.Document) -> list[str]:
    with lock.held(system, f"begin {step} for {wanted.owner}"):
        claim.require(system, wanted.owner)
        done = _take_over(system, step, wanted.owner)
    done += STEPS[step].apply(Journal(system, step, wanted.owner), wanted.want, wanted.secret)
    with lock.held(system, f"the receipt of {step} for {wanted.owner}"):
        receipts.write(system, step, wanted.text)
    return done or ["nothing to do"]


def _take_over(system: System, step: str, owner: str) -> list[str]:
    """A renamed node: what the old name made is the new name's from now on."""
    found = manifest.owner_of(manifest.read(system), step)
    if found in (None, owner):
        return []
    Journal(system, step, owner).record(manifest.OWNER)
    return [f"taken over from {found}"]
