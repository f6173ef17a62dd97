"""One module a step, each with one `SPEC`; undo is no step's code (see node.verbs.undo).

`observe(system, request)`        what is: owned keys only, never a file's text.
`narrow(observed, want)`          what is, in want's terms: the same document as want when nothing
                                  differs. Pure.
`compare(have, want)`             one phrase for each thing that differs, for people to read. Pure.
`get_disturbance(have, want)`     what a repair disturbs: none, docker, fabric or host. Pure.
`apply(manifest, want, secrets)`  observe again, change only what differs, a line for each change.

`Want`, `Have` and `Observed` are defined once a step: dataclasses that JSON is read into at the
border. A module of this package is a step, so a new one is known by being here.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, Generic, Literal, TypeVar, cast

from node.errors import StepError
from node.host.system import System
from node.host.typed_json import ShapeError, parse, parse_known, to_json
from node.state.manifest import Manifest

WantT = TypeVar("WantT")
HaveT = TypeVar("HaveT")
ObservedT = TypeVar("ObservedT")
Disturbance = Literal["none", "docker", "fabric", "host"]
Secrets = Mapping[str, str]
"""What comes beside a document and is kept nowhere, by name."""


@dataclass(frozen=True)
class StepRequest:
    """What a step is asked to observe. `raw`: all of the request's keys, for steps that probe."""

    user: str = ""
    model_directory: str = ""
    interfaces: tuple[str, ...] = ()
    service: str | None = None
    unit: str | None = None
    raw: Mapping[str, object] = field(default_factory=dict)


DECLARED = "declared"
"""The key by which a step that only a declaration brings is asked to look."""


@dataclass(frozen=True)
class Nothing:
    """What a step without a state of its own observes."""


def disturb_nothing(have: object, want: object) -> Disturbance:
    return "none"


def observe_nothing(system: System, request: StepRequest) -> Nothing:
    return Nothing()


def keep_want(observed: object, want: WantT) -> WantT:
    """A step without a state of its own never differs: its want holds the receipts of what it looks
    at, so it runs again when they change."""
    return want


def is_same(have: object, want: object) -> bool:
    """Whether nothing differs: what is and what should be are one document."""
    return bool(to_json(have) == to_json(want))


def find_no_difference(have: object, want: object) -> list[str]:
    return []


def find_no_refusal(have: object, want: object) -> list[str]:
    return []


@dataclass(frozen=True, kw_only=True)
class StepSpec(Generic[WantT, ObservedT, HaveT]):
    """One kind of step: its functions, and all that others need to know of it.

    `find_refusals`: why it would do nothing and fail.
    `phrase`: what it will do, where nothing on the node differs and it runs again.
    `after`: steps of the same node that come first.
    `holds_lock`: whether it works under the node's lock; one that waits for long takes it only to
    begin and to leave its receipt. `hold_s`: how long others wait for it where that is longer.
    `prints_answer`: another step reads what it prints, so nothing else is printed; `prints_secret`
    where nobody else may read it.
    `needs_docker`: nothing is known of it while dockerd is silent.
    `disturbs_own_node`: false where what it disturbs is another node, one that leaves.
    `is_probe`: it has no state; `sparkform doctor` shows what it would find in rows of their own,
    and with `has_absence_row` also where nothing is known of it.
    """

    name: str
    want: type[WantT]
    observed: type[ObservedT]
    observe: Callable[[System, StepRequest], ObservedT]
    narrow: Callable[[ObservedT, WantT], HaveT]
    compare: Callable[[HaveT, WantT], list[str]]
    apply: Callable[[Manifest, WantT, Secrets], list[str]]
    get_disturbance: Callable[[HaveT, WantT], Disturbance] = disturb_nothing
    find_refusals: Callable[[HaveT, WantT], list[str]] = find_no_refusal
    phrase: str | None = None
    after: tuple[str, ...] = ()
    holds_lock: bool = True
    hold_s: float = 0.0
    prints_answer: bool = False
    prints_secret: bool = False
    needs_docker: bool = False
    disturbs_own_node: bool = True
    is_probe: bool = False
    has_absence_row: bool = False

    @property
    def has_state(self) -> bool:
        """Whether it is decided by what is observed of it."""
        return self.narrow is not keep_want

    def parse_want(self, value: object) -> WantT:
        """The want of a document. Raises StepError."""
        try:
            return parse(self.want, value, "want")
        except ShapeError as error:
            raise StepError(f"Cannot read the document of {self.name}: {error}") from None

    def read_want(self, value: object) -> WantT | None:
        """The want of a receipt; None where another version wrote it otherwise."""
        try:
            return parse(self.want, value, "want")
        except ShapeError:
            return None

    def read_observed(self, value: object) -> ObservedT:
        """What a node reports of the step; what it does not report has its default."""
        return parse_known(self.observed, value)


AnyStep = StepSpec[Any, Any, Any]


@cache
def list_step_names() -> tuple[str, ...]:
    return tuple(module.name for module in pkgutil.iter_modules(__path__))


def get_kind(step: str) -> str:
    """
    >>> get_kind("fabric_check:0")
    'fabric_check'
    """
    return step.partition(":")[0]


class _StepRegistry(Mapping[str, AnyStep]):
    """Step name to its spec, imported when it is asked for: a verb needs one step, not all.

    A step that a node has several of is named `<name>:<instance>`, as in `fabric_check:0`.
    """

    def __getitem__(self, name: str) -> AnyStep:
        kind = get_kind(name)
        if kind not in list_step_names():
            raise KeyError(name)
        return cast("AnyStep", import_module(f"node.steps.{kind}").SPEC)

    def __iter__(self) -> Iterator[str]:
        return iter(list_step_names())

    def __len__(self) -> int:
        return len(list_step_names())


STEPS: Mapping[str, AnyStep] = _StepRegistry()
