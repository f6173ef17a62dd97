"""NodeAnchor and HostStep: the only makers of remote.Command.

Each is a command on a node whose standard input is the document that the planner decided on. The
anchor installs the node program and claims the node; its deletion gives the node back, so every
step is `deleted_with` it: a step whose creation was killed is in no state, and only the node's own
manifest can take it back.
"""

from __future__ import annotations

import base64
import shlex
from dataclasses import dataclass

import pulumi
from pulumi_command import remote

from node.install import BOOTSTRAP
from node.places import ZIPAPP
from sparkform.planner.steps import PlannedStep

INSTALL = f"sudo -n python3 -c {shlex.quote(BOOTSTRAP)}"


DONE = remote.Logging.STDOUT
"""A line for each thing done goes to the user; a refusal is in the error anyway."""

HELD = ["connection", "create", "update", "delete", "stdin"]
"""A held step keeps what Pulumi knows of it."""

PUT_OFF = "put off until every node that it concerns is there"


@dataclass(frozen=True)
class _Work:
    """What a resource runs to bring its step about and to take it back."""

    apply: str
    undo: str
    stdin: pulumi.Input[str] | None


class NodeAnchor(remote.Command):
    """The node program on a node and this stack's claim on it. First to come, last to go."""

    def __init__(
        self,
        name: str,
        planned: PlannedStep,
        program: bytes,
        connection: remote.ConnectionArgs,
        opts: pulumi.ResourceOptions,
    ) -> None:
        encoded = base64.b64encode(program).decode("ascii")
        stdin = f"{planned.decision.document}\n{encoded}"
        work = _put_off(planned) or _Work(INSTALL, _on_node("undo --all"), stdin)
        super().__init__(
            name,
            connection=connection,
            create=work.apply,
            update=work.apply,
            delete=work.undo,
            stdin=work.stdin,
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
        work = _put_off(planned) or _step_work(planned, secret)
        super().__init__(
            name,
            connection=connection,
            create=work.apply,
            update=work.apply,
            delete=work.undo,
            stdin=work.stdin,
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


def _step_work(planned: PlannedStep, secret: pulumi.Output[str] | None) -> _Work:
    document = planned.decision.document
    return _Work(
        apply=_on_node(f"apply {planned.step}"),
        undo=_on_node(f"undo {planned.step}"),
        stdin=document if secret is None else pulumi.Output.concat(document, "\n", secret),
    )


def _put_off(planned: PlannedStep) -> _Work | None:
    """What a held step runs where Pulumi does not know it yet: nothing, on a node that is there.
    Once all its nodes are, the step differs from this in all that HELD names, and is applied."""
    if not planned.is_held:
        return None
    return _Work(f"echo {shlex.quote(f'{planned.node} {planned.step}: {PUT_OFF}')}", "true", None)


def _on_node(arguments: str) -> str:
    return f"sudo -n python3 {ZIPAPP} {arguments}"


def _ignored(planned: PlannedStep) -> list[str] | None:
    return HELD if planned.is_held else None


def _say(planned: PlannedStep, resource: pulumi.Resource) -> None:
    for line in planned.lines:
        pulumi.log.info(line, resource)
