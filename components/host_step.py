"""Teardown, NodeAgent and HostStep: the only makers of remote.Command.

Each is a command on a node whose standard input is the document that the planner decided on. The
agent installs the node program and claims the node. What comes before it, the teardown, gives the
node back when it is deleted, so the agent and every step are `deleted_with` it: a step whose
creation was killed is in no state, and only the node's own manifest can take it back.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

import pulumi
from pulumi_command import remote

from node.host.paths import ZIPAPP
from node.verbs.install import BOOTSTRAP, DRAIN_STDIN, TEARDOWN
from sparkform.plan.steps import PlannedStep, StackName

INSTALL = f"sudo -n python3 -c {shlex.quote(BOOTSTRAP)}"
GIVE_BACK = f"sudo -n sh -c {shlex.quote(TEARDOWN)}"


LOG_STDOUT = remote.Logging.STDOUT
"""A line for each thing done goes to the user; a refusal is in the error anyway."""

HELD_INPUTS = ["connection", "create", "update", "delete", "stdin"]
"""A held step keeps what Pulumi knows of it."""

DEFERRED = "put off until every node that it concerns is there"


@dataclass(frozen=True)
class _Commands:
    """What a resource runs to bring its step about and to take it back."""

    apply: str
    undo: str
    stdin: pulumi.Input[str] | None


class Teardown(remote.Command):
    """First to come, last to go: its deletion gives the node back, and its creation does nothing.

    So Pulumi knows it before anything is done on the node. What is killed or fails from then on is
    in no state, the installation of the node program included, and is taken back all the same.
    """

    def __init__(
        self,
        name: str,
        planned: PlannedStep,
        connection: remote.ConnectionArgs,
        opts: pulumi.ResourceOptions,
    ) -> None:
        owner = StackName(pulumi.get_project(), pulumi.get_stack()).owner(
            planned.node, planned.step
        )
        stdin = json.dumps({"owner": owner})
        commands = _defer(planned) or _Commands(DRAIN_STDIN, GIVE_BACK, stdin)
        super().__init__(
            name,
            connection=connection,
            create=commands.apply,
            update=commands.apply,
            delete=commands.undo,
            stdin=commands.stdin,
            add_previous_output_in_env=False,
            logging=LOG_STDOUT,
            opts=pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(ignore_changes=_list_ignored(planned))
            ),
        )


class NodeAgent(remote.Command):
    """The node program on a node and this stack's claim on it, before every step.

    `program` is the node program as it travels: sparkform.ssh.agent.packed.
    """

    def __init__(
        self,
        name: str,
        planned: PlannedStep,
        program: str,
        teardown: Teardown,
        connection: remote.ConnectionArgs,
        opts: pulumi.ResourceOptions,
    ) -> None:
        stdin = f"{planned.decision.document}\n{program}"
        commands = _defer(planned) or _Commands(INSTALL, GIVE_BACK, stdin)
        super().__init__(
            name,
            connection=connection,
            create=commands.apply,
            update=commands.apply,
            delete=commands.undo,
            stdin=commands.stdin,
            add_previous_output_in_env=False,
            logging=LOG_STDOUT,
            opts=pulumi.ResourceOptions.merge(
                opts,
                pulumi.ResourceOptions(
                    deleted_with=teardown,
                    depends_on=[teardown],
                    ignore_changes=_list_ignored(planned),
                ),
            ),
        )
        self.teardown = teardown
        _log_lines(planned, self)


class HostStep(remote.Command):
    """One step on one node.

    With a `token` it is for one run of a service: for another run it is replaced, which begins by
    ending whatever there is of the service on the node. Its deletion leaves a newer run alone.
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
        commands = _defer(planned) or _build_step_commands(planned, secret)
        super().__init__(
            name,
            connection=connection,
            create=_create_anew(planned, commands.apply) if token else commands.apply,
            update=commands.apply,
            delete=commands.undo,
            stdin=commands.stdin,
            triggers=[token] if token else None,
            add_previous_output_in_env=False,
            logging=remote.Logging.NONE if opts.additional_secret_outputs else LOG_STDOUT,
            opts=pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions(
                    deleted_with=agent.teardown,
                    depends_on=[agent],
                    ignore_changes=_list_ignored(planned),
                ),
                opts,
            ),
        )
        _log_lines(planned, self)


def _create_anew(planned: PlannedStep, apply: str) -> str:
    """Ranks that run under the same token, of which Pulumi knows nothing, must not stay."""
    service = planned.step.partition(":")[2]
    return f"{_build_agent_command(f'clear {service}')} < /dev/null && {apply}"


def _build_step_commands(planned: PlannedStep, secret: pulumi.Output[str] | None) -> _Commands:
    document = planned.decision.document
    return _Commands(
        apply=_build_agent_command(f"apply {planned.step}"),
        undo=_build_agent_command(f"undo {planned.step}"),
        stdin=document if secret is None else pulumi.Output.concat(document, "\n", secret),
    )


def _defer(planned: PlannedStep) -> _Commands | None:
    """What a held step runs where Pulumi does not know it yet: nothing, on a node that is there.
    Once all its nodes are, the step differs from this in all that HELD names, and is applied."""
    if not planned.is_held:
        return None
    return _Commands(
        f"echo {shlex.quote(f'{planned.node} {planned.step}: {DEFERRED}')}", "true", None
    )


def _build_agent_command(arguments: str) -> str:
    return f"sudo -n python3 {ZIPAPP} {arguments}"


def _list_ignored(planned: PlannedStep) -> list[str] | None:
    return HELD_INPUTS if planned.is_held else None


def _log_lines(planned: PlannedStep, resource: pulumi.Resource) -> None:
    for line in planned.lines:
        pulumi.log.info(line, resource)
