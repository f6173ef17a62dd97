"""What a run says of its steps, once and node by node: in a preview what differs, in an update what
was done.

Pulumi says which steps it comes to, by a hook: what `--target` or `--exclude` leaves out, which the
program cannot know, is not mentioned. One message holds all lines, so that they are in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pulumi
from pulumi.runtime import is_dry_run

from sparkform.plan.run_summary import DoneStep, list_planned_lines, summarize_done
from sparkform.plan.steps import PlannedStep

HOOK = "note the steps that are reached"


class RunLog:
    """Collects while resources are registered; `say` speaks once all of them are done.

    `nodes` and `services` are the declared names, in their order. All steps share one hook: the SDK
    starts a server for its first one.
    """

    def __init__(self, nodes: Sequence[str], services: Sequence[str]) -> None:
        self._nodes, self._services = nodes, services
        self._planned: dict[str, PlannedStep] = {}
        self._resources: list[pulumi.Resource] = []
        self._reached: dict[str, tuple[str, ...]] = {}
        self._service_lines: list[str] = []
        self._notes: list[str] = []
        self._unknown_lines: list[str] = []
        self._binding: pulumi.ResourceHookBinding | None = None

    def watch(
        self, name: str, resource: pulumi.Resource, planned: PlannedStep
    ) -> pulumi.ResourceOptions:
        """Options by which Pulumi says when it comes to the step. It changes nothing of a held
        step, so what is said of that does not wait for it."""
        if planned.unknown:
            self._unknown_lines += planned.lines
        if planned.is_held or not planned.lines:
            return pulumi.ResourceOptions()
        self._planned[name] = planned
        self._resources.append(resource)
        self._binding = self._binding or self._bind_hook()
        return pulumi.ResourceOptions(hooks=self._binding)

    def add_service(self, lines: Iterable[str], notes: Iterable[str], is_unknown: bool) -> None:
        """Why a service starts anew, and what is left alone."""
        (self._unknown_lines if is_unknown else self._service_lines).extend(lines)
        self._notes.extend(notes)

    def say(self, advisories: Sequence[str]) -> None:
        """Called once all resources are registered. A preview names the advisories and what is
        unknown; an update counts the ones and ends with an error for the others."""
        warnings = [*advisories, *self._unknown_lines]
        if warnings and is_dry_run():
            pulumi.log.warn(_build_message(warnings))
        if not self._resources:
            _log_lines([*self._list_service_lines(), *self._notes])
            return
        urns = pulumi.Output.all(*[resource.urn for resource in self._resources])
        urns.apply(lambda _: _log_lines(self._build_lines(len(advisories))))

    def _bind_hook(self) -> pulumi.ResourceHookBinding:
        hook = pulumi.ResourceHook(
            HOOK, self._note_reached, pulumi.ResourceHookOptions(on_dry_run=is_dry_run())
        )
        if is_dry_run():
            return pulumi.ResourceHookBinding(before_create=[hook], before_update=[hook])
        return pulumi.ResourceHookBinding(after_create=[hook], after_update=[hook])

    def _note_reached(self, reached: pulumi.ResourceHookArgs) -> None:
        printed = (reached.new_outputs or {}).get("stdout")
        lines = printed.strip().splitlines() if isinstance(printed, str) else []
        self._reached[reached.name] = tuple(lines)

    def _build_lines(self, advisory_count: int) -> list[str]:
        reached = {name: step for name, step in self._planned.items() if name in self._reached}
        if is_dry_run():
            planned = list_planned_lines(reached.values(), self._nodes)
            return [*planned, *self._list_service_lines(), *self._notes]
        done = [
            DoneStep(step.node, step.step, self._reached[name]) for name, step in reached.items()
        ]
        summary = summarize_done(done, self._nodes, self._services, advisory_count)
        return [*self._notes, *summary]

    def _list_service_lines(self) -> list[str]:
        return self._service_lines if is_dry_run() else []


def _log_lines(lines: Sequence[str]) -> None:
    if lines:
        pulumi.log.info(_build_message(lines))


def _build_message(lines: Iterable[str]) -> str:
    """Pulumi shows a message beside the resource up to its first line break, and whole at the end:
    with nothing before the break, each line is shown once."""
    return "\n".join(["", *lines])
