"""What differs of each step, logged when Pulumi comes to the step.

So nothing is said of what `--target` or `--exclude` leaves out, which the program cannot know.
"""

from __future__ import annotations

import pulumi

from sparkform.plan.steps import PlannedStep

HOOK = "log what differs"


class StepLog:
    """The lines of all steps behind one hook: the SDK starts a server for its first hook."""

    def __init__(self) -> None:
        self._resources: dict[str, tuple[pulumi.Resource, PlannedStep]] = {}
        self._binding: pulumi.ResourceHookBinding | None = None

    def log_when_reached(
        self, name: str, resource: pulumi.Resource, planned: PlannedStep
    ) -> pulumi.ResourceOptions:
        """Options that log the lines before the resource is created or updated, in a preview too.
        Pulumi changes nothing of a held step, so its lines are logged at once."""
        if planned.is_held:
            _log_lines(resource, planned)
        if planned.is_held or not planned.lines:
            return pulumi.ResourceOptions()
        self._resources[name] = (resource, planned)
        self._binding = self._binding or self._bind_hook()
        return pulumi.ResourceOptions(hooks=self._binding)

    def _bind_hook(self) -> pulumi.ResourceHookBinding:
        options = pulumi.ResourceHookOptions(on_dry_run=True)
        hook = pulumi.ResourceHook(HOOK, self._log_lines, options)
        return pulumi.ResourceHookBinding(before_create=[hook], before_update=[hook])

    def _log_lines(self, reached: pulumi.ResourceHookArgs) -> None:
        _log_lines(*self._resources[reached.name])


def _log_lines(resource: pulumi.Resource, planned: PlannedStep) -> None:
    log = pulumi.log.warn if planned.unknown else pulumi.log.info
    for line in planned.lines:
        log(line, resource)
