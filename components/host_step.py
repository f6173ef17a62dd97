"""NodeAnchor and HostStep: the only makers of remote.Command.

Each is a command on a node whose standard input is the document that the planner decided on. The
anchor installs the node program and claims the node; its deletion gives the node back, so every
step is `deleted_with` it: a step whose creation was killed is in no state, and only the node's own
manifest can take it back.
"""

from __future__ import annotations

import pulumi
from pulumi_command import remote

from sparkform.planner.steps import PlannedStep

PROGRAM = "/usr/local/lib/sparkform/node.pyz"

# The node program arrives on standard input before it is installed, and a pipe cannot be run.
BOOTSTRAP = (
    "import base64,os,sys;"
    "document=sys.stdin.readline();"
    "handle=os.memfd_create('node');"
    "os.write(handle,base64.b64decode(sys.stdin.read()));"
    "os.execv(sys.executable,[sys.executable,f'/proc/self/fd/{handle}','install',document])"
)


def _on_node(arguments: str) -> str:
    return f"sudo -n python3 {PROGRAM} {arguments}"


class NodeAnchor(remote.Command):
    """The node program on a node and this stack's claim on it. First to come, last to go."""

    def __init__(
        self,
        name: str,
        planned: PlannedStep,
        program: str,
        connection: remote.ConnectionArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        install = f'sudo -n python3 -c "{BOOTSTRAP}"'
        super().__init__(
            name,
            connection=connection,
            create=install,
            update=install,
            delete=_on_node("undo --all"),
            stdin=f"{planned.decision.document}\n{program}",
            add_previous_output_in_env=False,
            logging=remote.Logging.STDOUT,
            opts=opts,
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
        secret: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
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
            logging=remote.Logging.STDOUT,
            opts=pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions(deleted_with=anchor, depends_on=[anchor]), opts
            ),
        )
        _say(planned, self)


def _say(planned: PlannedStep, resource: pulumi.Resource) -> None:
    for line in planned.lines:
        pulumi.log.info(line, resource)
