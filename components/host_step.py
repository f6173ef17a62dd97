"""NodeAnchor and HostStep: the only makers of remote.Command.

Each is a command on a node whose standard input is the document that the planner decided on. The
anchor installs the node program and claims the node; its deletion gives the node back, so every
step is `deleted_with` it: a step whose creation was killed is in no state, and only the node's own
manifest can take it back.
"""

from __future__ import annotations

import shlex

import pulumi
from pulumi_command import remote

from node.install import BOOTSTRAP
from node.places import ZIPAPP
from sparkform.planner.steps import PlannedStep

INSTALL = f"sudo -n python3 -c {shlex.quote(BOOTSTRAP)}"


DONE = remote.Logging.STDOUT
"""A line for each thing done goes to the user; a refusal is in the error anyway."""

HELD = ["connection", "create", "update", "delete", "stdin"]


class NodeAnchor(remote.Command):
    """The node program on a node and this stack's claim on it. First to come, last to go.

    `program` is the node program as it travels: sparkform.facts.program.packed.
    """

    def __init__(
        self,
        name: str,
        planned: PlannedStep,
        program: str,
        connection: remote.ConnectionArgs,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__(
            name,
            connection=connection,
            create=INSTALL,
            update=INSTALL,
            delete=_on_node("undo --all"),
            stdin=f"{planned.decision.document}\n{program}",
            add_previous_output_in_env=False,
            logging=DONE,
            opts=pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(ignore_changes=_ignored(planned))
            ),
        )
        _say(planned, self)


class HostStep(remote.Command):
    """One step on one node."""

    def __init__(
        self,
        name: str,
        planned: PlannedStep,
        anchor: NodeAnchor,
        connection: remote.ConnectionArgs,
        opts: pulumi.ResourceOptions,
        secret: pulumi.Output[str] | None = None,
    ) -> None:
        document = planned.decision.document
        apply = _on_node(f"apply {planned.step}")
        super().__init__(
            name,
            connection=connection,
            create=apply,
            update=apply,
            delete=_on_node(f"undo {planned.step}"),
            stdin=document if secret is None else pulumi.Output.concat(document, "\n", secret),
            add_previous_output_in_env=False,
            logging=remote.Logging.NONE if opts.additional_secret_outputs else DONE,
            opts=pulumi.ResourceOptions.merge(
                opts,
                pulumi.ResourceOptions(
                    deleted_with=anchor, depends_on=[anchor], ignore_changes=_ignored(planned)
                ),
            ),
        )
        _say(planned, self)


def _on_node(arguments: str) -> str:
    return f"sudo -n python3 {ZIPAPP} {arguments}"


def _ignored(planned: PlannedStep) -> list[str] | None:
    return HELD if planned.is_held else None


def _say(planned: PlannedStep, resource: pulumi.Resource) -> None:
    for line in planned.lines:
        pulumi.log.info(line, resource)
