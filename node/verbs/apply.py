"""The verb `apply STEP`: bring one step to what its document wants, then keep the document."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from node.errors import StepError
from node.host.output import print_now
from node.host.system import System
from node.ranks.stopping import stop_ranks
from node.state import claim, document, lock, manifest, receipts
from node.state.document import StepDocument
from node.state.manifest import Manifest
from node.steps import STEPS

Apply = Callable[[], list[str]]


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """A line for each change. Raises StepError."""
    if len(arguments) != 1 or arguments[0] not in STEPS:
        raise StepError(f"`apply` needs one step: {', '.join(STEPS)}.")
    return apply_step(system, arguments[0], document.parse(stdin))


def apply_step(system: System, step: str, step_document: StepDocument) -> list[str]:
    """The want is read before anything is done."""
    spec = STEPS[step]
    want = spec.parse_want(step_document.want)

    def apply_want() -> list[str]:
        return spec.apply(Manifest(system, step, step_document.owner), want, step_document.secrets)

    if spec.holds_lock:
        messages = _apply_under_lock(system, step, step_document, apply_want)
    else:
        messages = _apply_without_lock(system, step, step_document, apply_want)
    return messages or ["nothing to do"]


def _apply_under_lock(
    system: System, step: str, step_document: StepDocument, apply_want: Apply
) -> list[str]:
    spec, owner = STEPS[step], step_document.owner
    notify = lock.ignore if spec.prints_answer else print_now
    with lock.hold(system, f"apply {step} for {owner}", notify=notify, hold_s=spec.hold_s):
        claim.require_claimed(system, owner)
        messages = _take_over(system, step, owner)
        messages += _stop_engines(system, step_document.stops)
        messages += apply_want()
        receipts.write(system, step, step_document.text)
    return messages


def _apply_without_lock(
    system: System, step: str, step_document: StepDocument, apply_want: Apply
) -> list[str]:
    owner = step_document.owner
    with lock.hold(system, f"begin {step} for {owner}"):
        claim.require_claimed(system, owner)
        messages = _take_over(system, step, owner)
    messages += apply_want()
    with lock.hold(system, f"the receipt of {step} for {owner}"):
        receipts.write(system, step, step_document.text)
    return messages


def _stop_engines(system: System, services: Sequence[str]) -> list[str]:
    """What the step disturbs ends in order before it does."""
    if not services:
        return []
    return stop_ranks(system, lambda item: item.service in services)


def _take_over(system: System, step: str, owner: str) -> list[str]:
    """A renamed node: what the old name made is the new name's from now on."""
    previous_owner = manifest.find_owner(manifest.read(system), step)
    if previous_owner in (None, owner):
        return []
    Manifest(system, step, owner).record(manifest.OWNER)
    return [f"taken over from {previous_owner}"]
