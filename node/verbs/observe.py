"""`observe REQUEST`: everything that the control side decides by, as one line of JSON.

    {"version": 1, "unix_time_s": 1763712000.5, "facts": {…}, "steps": {step: have},
     "receipts": {step: text}, "unreadable": [{"what": "fact gpu", "why": "nvidia-smi: not found"}]}

REQUEST is JSON: {"user", "model_directory", "interfaces", "budget_s", "steps": {step: {…}}}, each
key optional; a step's observe gets its own mapping over the shared keys. All facts and steps are
read at once, each in a thread of its own: most of the time is spent waiting for nvidia-smi and for
D-Bus. A step under way is waited for, within half the budget (seconds). What is not there when the
budget is over is null and named in `unreadable`.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

from node import facts
from node.errors import Refusal
from node.facts.reading import Look, Request, Unreadable
from node.facts.values import decimal, items, mapping, text_or_none
from node.host.cached_system import OneLook
from node.host.system import System
from node.state import claim, lock, receipts
from node.steps import STEPS
from node.verbs import install
from node.verbs.self_removal import ANCHOR

VERSION = 1
DEFAULTS = Request()
# In the middle of a step there may be no default route, or no dockerd: nothing to decide by. Most
# steps are done within seconds; a longer one is looked at as it stands.
SETTLING_SHARE = 0.5
Read = Callable[[], object]


@dataclass(frozen=True)
class Finding:
    """What one reading gave: a value, or why there is none."""

    what: str
    value: object
    why: str | None


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """One line of plain ASCII, whatever the node's locale is."""
    try:
        raw = mapping(json.loads(arguments[0])) if arguments else {}
    except ValueError:
        raise Refusal("The request is not JSON.") from None
    text = json.dumps(observe(system, parse_request(raw)), ensure_ascii=False)
    return [json.dumps(json.loads(text.encode("utf-8", "replace")))]


def parse_request(raw: Mapping[str, object]) -> Request:
    """What is missing or of another type has its default."""
    budget_s = raw.get("budget_s")
    interfaces = [text for text in map(text_or_none, items(raw.get("interfaces"))) if text]
    return Request(
        user=text_or_none(raw.get("user")) or DEFAULTS.user,
        model_directory=text_or_none(raw.get("model_directory")) or DEFAULTS.model_directory,
        interfaces=tuple(interfaces),
        budget_s=(decimal(str(budget_s)) if budget_s else None) or DEFAULTS.budget_s,
        raw=dict(raw),
    )


def observe(system: System, request: Request) -> dict[str, object]:
    """The whole document. Never raises for what the machine does."""
    deadline = time.monotonic() + request.budget_s
    lock.settle(system, request.budget_s * SETTLING_SHARE)
    once = OneLook.at(system)
    readings = {
        **fact_readings(Look(once, deadline), request),
        **step_readings(once, request),
        "receipts": lambda: receipts.read_all(once),
    }
    findings = collect(readings, deadline)
    found = {finding.what: finding.value for finding in findings}
    return {
        "version": VERSION,
        "unix_time_s": time.time(),
        "facts": {**_part(found, "fact "), "claim": found["fact claim"]},
        "steps": _part(found, "step "),
        "receipts": found["receipts"] or {},
        "unreadable": [{"what": item.what, "why": item.why} for item in findings if item.why],
    }


def fact_readings(look: Look, request: Request) -> dict[str, Read]:
    def reading(name: str) -> Read:
        return lambda: import_module(f"node.facts.{name}").read(look, request)

    named = {f"fact {name}": reading(name) for name in facts.NAMES}
    return {**named, "fact claim": lambda: claim.owner(look.system)}


def step_readings(system: System, request: Request) -> dict[str, Read]:
    def reading(name: str) -> Read:
        return lambda: STEPS[name].observe(system, step_request(request, name))

    instances = [name for name in mapping(request.raw.get("steps")) if _is_instance(name)]
    steps = {f"step {name}": reading(name) for name in [*STEPS, *instances]}
    return {f"step {ANCHOR}": lambda: install.observe(system), **steps}


def _is_instance(step: str) -> bool:
    """`slot:qwen` is looked at beside the step of that module, where the request names it."""
    return ":" in step and step.partition(":")[0] in STEPS


def step_request(request: Request, step: str) -> dict[str, object]:
    """The shared keys, and over them what is asked of this step."""
    shared = {
        "user": request.user,
        "model_directory": request.model_directory,
        "interfaces": list(request.interfaces),
    }
    return {**shared, **mapping(mapping(request.raw.get("steps")).get(step))}


def collect(readings: Mapping[str, Read], deadline: float) -> list[Finding]:
    """Every reading's finding, in the order of `readings`; late ones say that they were late.

    The threads are daemons: one that hangs in the kernel (a dead network file system) must not
    keep the process.
    """
    done: queue.Queue[Finding] = queue.Queue()
    for what, read in readings.items():
        threading.Thread(target=_put, args=(done, what, read), daemon=True).start()
    found: dict[str, Finding] = {}
    while len(found) < len(readings):
        try:
            finding = done.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        found[finding.what] = finding
    return [found.get(what) or Finding(what, None, "no answer in time") for what in readings]


def _put(done: queue.Queue[Finding], what: str, read: Read) -> None:
    done.put(attempt(what, read))


def attempt(what: str, read: Read) -> Finding:
    """A reading that fails is a finding too. Foreign messages stay here: they may quote a file."""
    try:
        value = read()
        json.dumps(value, allow_nan=False)
    except (Unreadable, Refusal) as error:
        return Finding(what, None, str(error))
    except Exception as error:
        return Finding(what, None, f"failed with {type(error).__name__}")
    return Finding(what, value, None)


def _part(found: Mapping[str, object], prefix: str) -> dict[str, object]:
    names: Iterable[str] = (what for what in found if what.startswith(prefix))
    return {what[len(prefix) :]: found[what] for what in names}
