"""`observe REQUEST`: everything that the control side decides by, as one line of JSON.

    {"version": 1, "unix_time_s": 1763712000.5, "facts": {…}, "steps": {step: have},
     "receipts": {step: text}, "next_run": 214748364801,
     "unreadable": [{"what": "fact gpu", "why": "nvidia-smi: not found", "late": false}]}

REQUEST is JSON: {"user", "model_directory", "interfaces", "budget_s", "steps": {step: {…}}}, each
key optional; a step's observe gets its own mapping over the shared keys. All facts and steps are
read at once, each in a thread of its own: most of the time is spent waiting for nvidia-smi and for
D-Bus. A step under way is waited for, within half the budget (seconds). What is not there when the
budget is over is null and named in `unreadable` as late: a longer look may find it.
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
from node.errors import NoAnswer, StepError
from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import parse_decimal, to_list, to_mapping, to_text
from node.host.cached_system import CachedSystem
from node.host.system import System
from node.host.typed_json import to_fields
from node.state import claim, lock, receipts
from node.state.next_run import compute_next_run
from node.steps import STEPS, StepRequest
from node.verbs import install
from node.verbs.self_removal import AGENT

VERSION = 1
DEFAULT_REQUEST = FactRequest()
# In the middle of a step there may be no default route, or no dockerd: nothing to decide by. Most
# steps are done within seconds; a longer one is looked at as it stands.
SETTLE_SHARE = 0.5
Reading = Callable[[], object]


@dataclass(frozen=True)
class ReadResult:
    """What one reading gave: a value, or why it is unknown and whether it is only late."""

    name: str
    value: object
    error: str | None
    is_late: bool = False


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """One line of plain ASCII, whatever the node's locale is."""
    try:
        raw = to_mapping(json.loads(arguments[0])) if arguments else {}
    except ValueError:
        raise StepError("The request is not JSON.") from None
    text = json.dumps(observe(system, parse_request(raw)), ensure_ascii=False)
    return [json.dumps(json.loads(text.encode("utf-8", "replace")))]


def parse_request(raw: Mapping[str, object]) -> FactRequest:
    """What is missing or of another type has its default."""
    budget_s = raw.get("budget_s")
    interfaces = [text for text in map(to_text, to_list(raw.get("interfaces"))) if text]
    return FactRequest(
        user=to_text(raw.get("user")) or DEFAULT_REQUEST.user,
        model_directory=to_text(raw.get("model_directory")) or DEFAULT_REQUEST.model_directory,
        interfaces=tuple(interfaces),
        budget_s=(parse_decimal(str(budget_s)) if budget_s else None) or DEFAULT_REQUEST.budget_s,
        raw=dict(raw),
    )


def observe(system: System, request: FactRequest) -> dict[str, object]:
    """The whole document. Never raises for what the machine does."""
    deadline = time.monotonic() + request.budget_s
    lock.await_release(system, request.budget_s * SETTLE_SHARE)
    cached_system = CachedSystem.wrap(system)
    readings = {
        **build_fact_readings(FactReader(cached_system, deadline), request),
        **build_step_readings(cached_system, request),
        "receipts": lambda: receipts.read_all(cached_system),
        "next_run": lambda: compute_next_run(cached_system),
    }
    results = collect_results(readings, deadline)
    values = {result.name: result.value for result in results}
    return {
        "version": VERSION,
        "unix_time_s": time.time(),
        "facts": {**_select_prefix(values, "fact "), "claim": values["fact claim"]},
        "steps": _select_prefix(values, "step "),
        "receipts": values["receipts"] or {},
        "next_run": values["next_run"] or 0,
        "unreadable": [
            {"what": result.name, "why": result.error, "late": result.is_late}
            for result in results
            if result.error
        ],
    }


def build_fact_readings(context: FactReader, request: FactRequest) -> dict[str, Reading]:
    def build(name: str) -> Reading:
        return lambda: import_module(f"node.facts.{name}").read(context, request)

    readings = {f"fact {name}": build(name) for name in facts.NAMES}
    return {**readings, "fact claim": lambda: claim.read_owner(context.system)}


def build_step_readings(system: System, request: FactRequest) -> dict[str, Reading]:
    def build(name: str) -> Reading:
        return lambda: to_fields(STEPS[name].observe(system, build_step_request(request, name)))

    instances = [name for name in to_mapping(request.raw.get("steps")) if _is_instance(name)]
    readings = {f"step {name}": build(name) for name in [*STEPS, *instances]}
    return {f"step {AGENT}": lambda: install.observe(system), **readings}


def _is_instance(step: str) -> bool:
    """`member:qwen` is observed beside the step of that module, where the request names it."""
    return ":" in step and step in STEPS


def build_step_request(request: FactRequest, step: str) -> StepRequest:
    """The shared keys, and over them what is asked of this step."""
    keys = to_mapping(to_mapping(request.raw.get("steps")).get(step))
    interfaces = keys.get("interfaces", list(request.interfaces))
    return StepRequest(
        user=to_text(keys.get("user")) or request.user,
        model_directory=to_text(keys.get("model_directory")) or request.model_directory,
        interfaces=tuple(text for text in map(to_text, to_list(interfaces)) if text),
        service=to_text(keys.get("service")),
        unit=to_text(keys.get("unit")),
        raw=keys,
    )


def collect_results(readings: Mapping[str, Reading], deadline: float) -> list[ReadResult]:
    """Every reading's finding, in the order of `readings`; late ones say that they were late.

    The threads are daemons: one that hangs in the kernel (a dead network file system) must not
    keep the process.
    """
    started = time.monotonic()
    finished: queue.Queue[ReadResult] = queue.Queue()
    for name, reading in readings.items():
        threading.Thread(target=_put_result, args=(finished, name, reading), daemon=True).start()
    results: dict[str, ReadResult] = {}
    while len(results) < len(readings):
        try:
            result = finished.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        results[result.name] = result
    lateness = f"no answer in {time.monotonic() - started:.1f} s"
    return [
        results.get(name) or ReadResult(name, None, lateness, is_late=True) for name in readings
    ]


def _put_result(finished: queue.Queue[ReadResult], name: str, reading: Reading) -> None:
    finished.put(read_guarded(name, reading))


def read_guarded(name: str, reading: Reading) -> ReadResult:
    """A reading that fails is a finding too. Foreign messages stay here: they may quote a file."""
    try:
        value = reading()
        json.dumps(value, allow_nan=False)
    except (UnreadableFact, StepError) as error:
        return ReadResult(name, None, str(error), isinstance(error, NoAnswer))
    except Exception as error:
        return ReadResult(name, None, f"failed with {type(error).__name__}")
    return ReadResult(name, value, None)


def _select_prefix(values: Mapping[str, object], prefix: str) -> dict[str, object]:
    selected: Iterable[str] = (name for name in values if name.startswith(prefix))
    return {name[len(prefix) :]: values[name] for name in selected}
