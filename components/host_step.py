"""WayBack, NodeAnchor and HostStep: the only makers of remote.Command.

Each is a command on a node whose standard input is the document that the planner decided on. The
anchor installs the node program and claims the node. What comes before it, the way back, gives the
node back when it is deleted, so the anchor and every step are `deleted_with` it: a step whose
creation was killed is in no state, and only the node's own manifest can take it back.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

import pulumi
from pulumi_command import remote

from node.host.paths import ZIPAPP
from node.verbs.install import BOOTSTRAP, READ_STDIN, WAY_BACK
from sparkform.plan.steps import PlannedStep, StackName

INSTALL = f"sudo -n python3 -c {shlex.quote(BOOTSTRAP)}"
GIVE_BACK = f"sudo -n sh -c {shlex.quote(WAY_BACK)}"


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


class WayBack(remote.Command):
    """First to come, last to go: its deletion gives the node back, and its creation does nothing.

    So Pulumi knows it before anything is done on the node. What is killed or fails from then on is
    in no state, the installation of the node program included, and is taken back all the same.
    """

    def __init__(
        self,
        name: str,
        anchor: PlannedStep,
        connection: remote.ConnectionArgs,
        opts: pulumi.ResourceOptions,
    ) -> None:
        owner = StackName(pulumi.get_project(), pulumi.get_stack()).owner(anchor.node, anchor.step)
        stdin = json.dumps({"owner": owner})
        work = _put_off(anchor) or _Work(READ_STDIN, GIVE_BACK, stdin)
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
                opts, pulumi.ResourceOptions(ignore_changes=_ignored(anchor))
            ),
        )


class NodeAnchor(remote.Command):
    """The node program on a node and this stack's claim on it, before every step.

    `program` is the node program as it travels: sparkform.ssh.agent.packed.
    """

    def __init__(
        self,
        name: str,
        planned: PlannedStep,
        program: str,
        way_back: WayBack,
        connection: remote.ConnectionArgs,
        opts: pulumi.ResourceOptions,
    ) -> None:
        stdin = f"{planned.decision.document}\n{program}"
        work = _put_off(planned) or _Work(INSTALL, GIVE_BACK, stdin)
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
                opts,
                pulumi.ResourceOptions(
                    deleted_with=way_back, depends_on=[way_back], ignore_changes=_ignored(planned)
                ),
            ),
        )
        self.way_back = way_back
        _say(planned, self)


class HostStep(remote.Command):
    """One step on one node.

    With a `token` it is for one run of a service: for another run it is replaced, which begins by
    ending whatever there is of the service on the node. Its deletion leaves a newer run alone.
    """

    def __init__(
        self,
        name: str,
        planned: PlannedStep,
        anchor: NodeAnchor,
        connection: remote.ConnectionArgs,
        opts: pulumi.ResourceOptions,
        secret: pulumi.Output[str] | None = None,
        token: str | None = None,
    ) -> None:
        work = _put_off(planned) or _step_work(planned, secret)
        super().__init__(
            name,
            connection=connection,
            create=_anew(planned, work.apply) if token else work.apply,
            update=work.apply,
            delete=work.undo,
            stdin=work.stdin,
            triggers=[token] if token else None,
            add_previous_output_in_env=False,
            logging=remote.Logging.NONE if opts.additional_secret_outputs else DONE,
            opts=pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions(
                    deleted_with=anchor.way_back,
                    depends_on=[anchor],
                    ignore_changes=_ignored(planned),
                ),
                opts,
            ),
        )
        _say(planned, self)


def _anew(planned: PlannedStep, apply: str) -> str:
    """Ranks that run under the same token, of which Pulumi knows nothing, must not stay."""
    service = planned.step.partition(":")[2]
    return f"{_on_node(f'clear {service}')} < /dev/null && {apply}"


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
