"""Commands on nodes: one maker of `remote.Command`, and three thin resources on it.

Each runs the agent on a node; its standard input is the document that the planner decided on.
`Teardown` comes first, and its deletion gives the node back; `NodeAgent` installs the agent and
claims the node; `HostStep` is one step. Agent and steps are `deleted_with` the teardown: a step
whose creation was killed is in no state, and only the node's own manifest can take it back.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_command import remote

from components.run_log import RunLog
from node.host.paths import ZIPAPP
from node.verbs.install import BOOTSTRAP, DRAIN_STDIN, TEARDOWN
from sparkform.plan.steps import PlannedStep, StackName

# On one line: the login shell may be a csh.
INSTALL = f"sudo -n python3 -c {shlex.quote(f'exec({json.dumps(BOOTSTRAP)})')}"
GIVE_BACK = f"sudo -n sh -c {shlex.quote(TEARDOWN)}"

HELD_INPUTS = ["connection", "create", "update", "delete", "stdin"]
"""What a held resource keeps as Pulumi knows it."""

UNKNOWN_INPUTS = [*HELD_INPUTS, "triggers"]
"""The same for one whose state is unknown: it may not be replaced either."""

DEFERRED = "deferred: a required node is away"


@dataclass(frozen=True, kw_only=True)
class NodeCommand:
    """What a resource runs on its node. `create` is run instead of `update` the first time, and
    again where `triggers` change: the resource is replaced then."""

    update: str
    delete: str
    stdin: pulumi.Input[str] | None
    create: str | None = None
    triggers: Sequence[pulumi.Input[str]] = ()


class _NodeResource(remote.Command):
    """The one maker of commands. What is planned for an absent node, or is unknown, is held."""

    def __init__(
        self,
        name: str,
        planned: PlannedStep,
        command: NodeCommand,
        connection: remote.ConnectionArgs,
        opts: pulumi.ResourceOptions,
    ) -> None:
        command = _defer(planned, command.triggers) if planned.is_held else command
        prints_secret = bool(opts.additional_secret_outputs)
        ignored = pulumi.ResourceOptions(ignore_changes=_list_kept_inputs(planned))
        super().__init__(
            name,
            connection=connection,
            create=command.create or command.update,
            update=command.update,
            delete=command.delete,
            stdin=command.stdin,
            triggers=list(command.triggers) or None,
            add_previous_output_in_env=False,
            # Progress comes on stderr; what was done, and what fails, is said at the end.
            logging=remote.Logging.NONE if prints_secret else remote.Logging.STDERR,
            opts=pulumi.ResourceOptions.merge(ignored, opts),
        )


class Teardown(_NodeResource):
    """First to come, last to go: its deletion gives the node back, and its creation does nothing.

    So Pulumi knows it before anything is done on the node. What is killed or fails from then on is
    in no state, the installation of the agent included, and is taken back all the same. Where it is
    replaced, the node is given back first, and then everything on it is made again.
    """

    def __init__(
        self,
        name: str,
        agent: PlannedStep,
        connection: remote.ConnectionArgs,
        opts: pulumi.ResourceOptions,
    ) -> None:
        stack = StackName(pulumi.get_project(), pulumi.get_stack())
        stdin = json.dumps({"owner": stack.owner(agent.node, agent.step)})
        command = NodeCommand(update=DRAIN_STDIN, delete=GIVE_BACK, stdin=stdin)
        super().__init__(name, agent, command, connection, _merge(opts, _delete_first()))


class NodeAgent(_NodeResource):
    """The agent on a node and this stack's claim on it, before every step.

    `program` is the agent as it travels: sparkform.ssh.agent.pack_zipapp. Its deletion does
    nothing: the teardown's takes it back, and a replacement installs over what is there.
    """

    def __init__(
        self,
        name: str,
        planned: PlannedStep,
        program: str,
        teardown: Teardown,
        connection: remote.ConnectionArgs,
        log: RunLog,
        opts: pulumi.ResourceOptions,
    ) -> None:
        command = NodeCommand(
            update=INSTALL,
            delete=DRAIN_STDIN,
            stdin=f"{planned.decision.document}\n{program}",
            triggers=[teardown.id],
        )
        order = pulumi.ResourceOptions(deleted_with=teardown, depends_on=[teardown])
        self.teardown, self.log = teardown, log
        lines = log.watch(name, self, planned)
        options = _merge(order, _delete_first(), lines, opts)
        super().__init__(name, planned, command, connection, options)


class HostStep(_NodeResource):
    """One step on one node.

    Where it is replaced, it is undone first. With a `token` it is for one run of a service: for
    another run it is replaced by one that begins by ending whatever there is of the service on the
    node, and the deletion of the old one leaves the newer run alone.
    """

    def __init__(
        self,
        name: str,
        planned: PlannedStep,
        agent: NodeAgent,
        connection: remote.ConnectionArgs,
        opts: pulumi.ResourceOptions,
        secret: pulumi.Output[str] | None = None,
        token: str | None = None,
    ) -> None:
        document = planned.decision.document
        apply = _run_agent(f"apply {planned.step}")
        command = NodeCommand(
            create=_apply_anew(planned, apply) if token else None,
            update=apply,
            delete=_undo(planned.step),
            stdin=document if secret is None else pulumi.Output.concat(document, "\n", secret),
            triggers=[*([token] if token else []), agent.teardown.id],
        )
        order = pulumi.ResourceOptions(deleted_with=agent.teardown, depends_on=[agent])
        replacement = pulumi.ResourceOptions() if token else _delete_first()
        lines = agent.log.watch(name, self, planned)
        options = _merge(order, replacement, lines, opts)
        super().__init__(name, planned, command, connection, options)


def _apply_anew(planned: PlannedStep, apply: str) -> str:
    """Ranks that run under the same token, of which Pulumi knows nothing, must not stay."""
    service = planned.step.partition(":")[2]
    return f"{_run_agent(f'clear {service}')} < /dev/null && {apply}"


def _run_agent(arguments: str) -> str:
    return f"sudo -n python3 {ZIPAPP} {arguments}"


def _undo(step: str) -> str:
    """Without an agent nothing of the step is there: the node was given back by hand."""
    script = f"if [ -e {ZIPAPP} ]; then exec python3 {ZIPAPP} undo {step}; else {DRAIN_STDIN}; fi"
    return f"sudo -n sh -c {shlex.quote(script)}"


def _list_kept_inputs(planned: PlannedStep) -> list[str] | None:
    if planned.unknown:
        return UNKNOWN_INPUTS
    return HELD_INPUTS if planned.is_held else None


def _defer(planned: PlannedStep, triggers: Sequence[pulumi.Input[str]]) -> NodeCommand:
    """What a held resource runs where Pulumi does not know it yet: nothing, on a node that is
    there. Once all its nodes are, it differs from this in all of HELD_INPUTS, and is applied."""
    message = f"{planned.node} {planned.step}: {planned.unknown or DEFERRED}"
    say = f"sh -c {shlex.quote(f'echo {shlex.quote(message)} >&2')}"
    return NodeCommand(update=say, delete="true", stdin=None, triggers=triggers)


def _delete_first() -> pulumi.ResourceOptions:
    """Where Pulumi is asked to replace what does not differ (`--replace`, `state taint`): else the
    deletion of the old one would undo what the new one has just made."""
    return pulumi.ResourceOptions(delete_before_replace=True)


def _merge(*options: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    """Later ones win."""
    merged = pulumi.ResourceOptions()
    for option in options:
        merged = pulumi.ResourceOptions.merge(merged, option)
    return merged
