"""The verb `apply STEP`: bring one step to what its document wants, then keep the document."""

from __future__ import annotations

from collections.abc import Sequence

from node.errors import StepError
from node.host.system import System
from node.ranks.stopping import stop_ranks
from node.state import claim, document, lock, manifest, receipts
from node.state.manifest import Manifest
from node.steps import STEPS

ANSWERING_STEPS = ("swarm_token", "swarm_network", "launch_keys", "transfer_key")
"""Steps whose output another step reads: nothing else may stand in it."""

UNLOCKED_STEPS = ("hub_client", "model", "image", "offer", "ready")
"""Steps that wait long and change nothing that the lock guards: others may work meanwhile."""

HOLD_S_BY_STEP = {"native_venv": 7200.0, "native_nccl": 1800.0}
"""Steps that fetch gigabytes while they hold the lock, and how long others wait for them: 3.6 GiB
take an hour and a half at 6 Mbit/s."""


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """Lines that say what was done. Raises Refusal."""
    if len(arguments) != 1 or arguments[0] not in STEPS:
        raise StepError(f"`apply` needs one step out of {', '.join(STEPS)}.")
    return apply_step(system, arguments[0], document.parse(stdin))


def apply_step(system: System, step: str, step_document: document.StepDocument) -> list[str]:
    if step.partition(":")[0] in UNLOCKED_STEPS:
        return _apply_without_lock(system, step, step_document)
    notify = lock.ignore if step.partition(":")[0] in ANSWERING_STEPS else lock.print_now
    hold_s = HOLD_S_BY_STEP.get(step, 0.0)
    with lock.hold(system, f"apply {step} for {step_document.owner}", notify=notify, hold_s=hold_s):
        claim.require_claimed(system, step_document.owner)
        messages = _take_over(system, step, step_document.owner)
        messages += _stop_engines(system, step_document.stops)
        messages += STEPS[step].apply(
            Manifest(system, step, step_document.owner), step_document.want, step_document.secret
        )
        receipts.write(system, step, step_document.text)
    return messages or ["nothing to do"]


def _stop_engines(system: System, services: Sequence[str]) -> list[str]:
    """What the step disturbs ends in order before it does."""
    if not services:
        return []
    return stop_ranks(system, lambda item: item.service in services)


def _apply_without_lock(
    system: System, step: str, step_document: document.StepDocument
) -> list[str]:
    with lock.hold(system, f"begin {step} for {step_document.owner}"):
        claim.require_claimed(system, step_document.owner)
        messages = _take_over(system, step, step_document.owner)
    messages += STEPS[step].apply(
        Manifest(system, step, step_document.owner), step_document.want, step_document.secret
    )
    with lock.hold(system, f"the receipt of {step} for {step_document.owner}"):
        receipts.write(system, step, step_document.text)
    return messages or ["nothing to do"]


def _take_over(system: System, step: str, owner: str) -> list[str]:
    """A renamed node: what the old name made is the new name's from now on."""
    previous_owner = manifest.find_owner(manifest.read(system), step)
    if previous_owner in (None, owner):
        return []
    Manifest(system, step, owner).record(manifest.OWNER)
    return [f"taken over from {previous_owner}"]
