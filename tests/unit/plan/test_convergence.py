"""Whatever befalls a node or Pulumi's state: what a preview names is what `up` mends, at once.

The node is the real agent on a fake machine, the plan is the real one of a step; only Pulumi is a
model, of what docs/design/steps-and-receipts.md relies on.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from node.host.paths import BOOT_ID, LIBRARY, LOCK, MANIFEST, STATE, ZIPAPP
from node.host.system import System
from node.state import receipts
from node.state.document import parse
from node.state.next_run import MACHINE_ID, compute_next_run
from node.steps import HaveT, ObservedT, StepSpec, WantT, fabric_confirm, nccl_conf
from node.verbs import apply, install, undo
from sparkform.plan.steps import PlannedStep, StackName, StepRecord, describe_step, plan_step
from tests.support.fake_spark import build_spark
from tests.support.fake_system import FakeSystem
from tests.support.node_steps import read_have

STACK, NODE = StackName("spark", "demo"), "spark-1"
AGENT_ZIPAPP = b"an agent"
AGENT_WANT = {"sha256": hashlib.sha256(AGENT_ZIPAPP).hexdigest()}
NCCL_WANT = nccl_conf.Want(ib_disable="0", ib_gid_index=None)
DRIFT = "NCCL_IB_DISABLE=1\n"
TEARDOWN, AGENT = "teardown", "agent"
STEPS_AFTER_AGENT = ("nccl_conf", "fabric_confirm")
"""The second has no state of its own and holds the run of the first."""


class Machine:
    """A node that can be reinstalled, and whose disk can be written back."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.numbers, self.random = folder, itertools.count(), itertools.count()
        self.reinstall()

    def reinstall(self) -> None:
        """Installations from one image are alike but for what each draws anew."""
        self.system: FakeSystem = build_spark(self.folder / str(next(self.numbers))).system
        self.system.put(MACHINE_ID, f"machine {next(self.random)}\n")
        self.reboot()

    def reboot(self) -> None:
        self.system.put(BOOT_ID, f"boot {next(self.random)}\n")

    def tick(self) -> None:
        """Two acts on a node are two connections: never within one tick of its file system."""
        probe = self.folder / "clock"
        probe.touch()
        stamp = probe.stat().st_ctime_ns
        while probe.stat().st_ctime_ns == stamp:
            probe.touch()

    def copy_disk(self) -> Path:
        copy = self.folder / str(next(self.numbers))
        shutil.copytree(self.system.root, copy, symlinks=True)
        return copy

    def write_back(self, disk: Path) -> None:
        self.system = FakeSystem(disk, self.system.script)
        self.reboot()


@dataclass
class Pulumi:
    """Documents by resource, as of the last operation on each; what is to be replaced."""

    machine: Machine
    state: dict[str, str] = field(default_factory=dict)
    tainted: set[str] = field(default_factory=set)

    def preview(self) -> dict[str, str]:
        """What would be done, by resource: create, update or replace."""
        documents = list_documents(plan_node(self.machine.system))
        replaced = set(documents) if TEARDOWN in self.tainted else self.tainted
        changes = {}
        for name, document in documents.items():
            if name not in self.state:
                changes[name] = "create"
            elif name in replaced:
                changes[name] = "replace"
            elif self.state[name] != document:
                changes[name] = "update"
        return changes

    def up(self) -> None:
        """Replaced resources are deleted first; all of them with the teardown, in reverse."""
        changes, documents = self.preview(), list_documents(plan_node(self.machine.system))
        if changes.get(TEARDOWN) == "replace":
            for name in [*reversed(documents)]:
                self.delete(name)
        for name, change in changes.items():
            if change == "replace":
                self.delete(name)
            self.machine.tick()
            run_apply(self.machine.system, name, documents[name])
            self.state[name] = documents[name]
        self.tainted.clear()

    def delete(self, name: str) -> None:
        document = self.state.pop(name, None)
        if document is not None:
            self.machine.tick()
            run_delete(self.machine.system, name, document)


def plan_node(system: System) -> dict[str, PlannedStep]:
    have = dict(install.observe(system))
    phrases = [] if have == AGENT_WANT else ["differs"]
    steps = {AGENT: describe_step(get_record(system, AGENT), AGENT_WANT, have, phrases)}
    steps["nccl_conf"] = plan(system, nccl_conf.SPEC, NCCL_WANT)
    confirmed = fabric_confirm.Want(steps["nccl_conf"].decision.run)
    steps["fabric_confirm"] = plan(system, fabric_confirm.SPEC, confirmed)
    return steps


def plan(system: System, spec: StepSpec[WantT, ObservedT, HaveT], want: WantT) -> PlannedStep:
    return plan_step(get_record(system, spec.name), spec, want, read_have(spec, system, want))


def get_record(system: System, step: str) -> StepRecord:
    receipt = receipts.read_all(system).get(step)
    return StepRecord(STACK.owner(NODE, step), NODE, step, receipt, compute_next_run(system))


def list_documents(steps: dict[str, PlannedStep]) -> dict[str, str]:
    teardown = json.dumps({"owner": STACK.owner(NODE, AGENT)})
    return {TEARDOWN: teardown, **{name: step.decision.document for name, step in steps.items()}}


def run_apply(system: System, name: str, document: str) -> None:
    if name == AGENT:
        install.install(system, parse(document), AGENT_ZIPAPP)
    elif name != TEARDOWN:
        require_agent(system)
        apply.main(system, [name], document)


def run_delete(system: System, name: str, document: str) -> None:
    """As components/host_step.py has it: the agent's does nothing, a step's nothing without one."""
    if name == TEARDOWN:
        give_back(system, document)
    elif name != AGENT and system.read(ZIPAPP) is not None:
        undo.main(system, [name], document)


def give_back(system: System, document: str) -> None:
    if system.read(ZIPAPP) is not None:
        undo.main(system, ["--all"], document)
        return
    assert system.read(MANIFEST) is None
    system.remove(LOCK) if system.get_state(STATE) else None
    for folder in (LIBRARY, STATE):
        system.remove_directory(folder)


def require_agent(system: System) -> None:
    assert system.read(ZIPAPP) is not None, "can't open file 'node.pyz'"


ON_THE_NODE = ("drift", "undo_step", "undo_all", "reboot", "reinstall", "write_back")
IN_THE_STATE = ("taint", "delete_one", "delete_all", "old_state")
RESOURCES = (TEARDOWN, AGENT, *STEPS_AFTER_AGENT)
EVENTS = st.tuples(st.sampled_from(("up", *IN_THE_STATE, *ON_THE_NODE)), st.sampled_from(RESOURCES))


@dataclass
class Story:
    """What happens between two runs of Pulumi."""

    pulumi: Pulumi
    states: list[dict[str, str]] = field(default_factory=list)
    disks: list[Path] = field(default_factory=list)

    def tell(self, event: str, resource: str) -> None:
        self.pulumi.machine.tick()
        getattr(self, event)(resource)
        self.pulumi.tainted &= set(self.pulumi.state)

    def taint(self, resource: str) -> None:
        self.pulumi.tainted |= {resource}

    def delete_one(self, resource: str) -> None:
        self.pulumi.state.pop(resource, None)

    def delete_all(self, resource: str) -> None:
        self.pulumi.state.clear()

    def old_state(self, resource: str) -> None:
        self.pulumi.state = dict(self.states[0])

    def drift(self, resource: str) -> None:
        self.pulumi.machine.system.put("/etc/nccl.conf", DRIFT)

    def undo_step(self, resource: str) -> None:
        if resource in STEPS_AFTER_AGENT:
            owner = json.dumps({"owner": STACK.owner(NODE, resource)})
            run_delete(self.pulumi.machine.system, resource, owner)

    def undo_all(self, resource: str) -> None:
        if self.pulumi.machine.system.read(ZIPAPP) is not None:
            undo.main(self.pulumi.machine.system, ["--all"], "")

    def reboot(self, resource: str) -> None:
        self.pulumi.machine.reboot()

    def reinstall(self, resource: str) -> None:
        self.pulumi.machine.reinstall()

    def write_back(self, resource: str) -> None:
        self.pulumi.machine.write_back(self.disks[0])
        self.disks[0] = self.pulumi.machine.copy_disk()

    def up(self, resource: str) -> None:
        """The claim itself."""
        system = self.pulumi.machine.system
        planned = plan_node(system)
        assert plan_node(system) == planned, "a preview and the up after it differ"
        named = {name for name, step in planned.items() if not step.decision.in_sync}
        assert named <= set(self.pulumi.preview()), "a difference that Pulumi takes for unchanged"
        self.pulumi.up()
        assert self.pulumi.preview() == {}
        assert not any(step.lines for step in plan_node(system).values())
        assert DRIFT not in (system.read("/etc/nccl.conf") or "")
        self.states.append(dict(self.pulumi.state))
        self.disks.append(self.pulumi.machine.copy_disk())


@pytest.fixture(scope="module", autouse=True)
def _no_modules() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(install, "import_all_modules", lambda: None)
        patch.setattr("os.fsync", lambda handle: None)
        yield


@example([("undo_all", AGENT)])
@example([("drift", AGENT), ("up", AGENT), ("undo_all", AGENT)])
@example([("taint", TEARDOWN)])
@example([("taint", "nccl_conf")])
@example([("undo_all", AGENT), ("taint", TEARDOWN)])
@example([("drift", AGENT), ("up", AGENT), ("write_back", AGENT), ("drift", AGENT)])
@given(st.lists(EVENTS, max_size=6))
def test_what_a_preview_names_is_what_up_mends(events: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory(prefix="sparkform-test-") as folder:
        story = Story(Pulumi(Machine(Path(folder))))
        for event, resource in [("up", AGENT), *events, ("up", AGENT)]:
            story.tell(event, resource)
