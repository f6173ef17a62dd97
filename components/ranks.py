"""What every rank of a service has, whatever runs it: its labels, and what it comes and goes with.

Every rank is made anew with its `stop_previous` and with nothing else: `replace_with` and
`deleted_with` name it (docs/design/ranks-and-tokens.md). None restarts by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from node.host import labels
from sparkform.launch.records import Launch
from sparkform.plan.images import get_started_image

LOG_LIMITS = {"max-size": "50m", "max-file": "4"}
"""An engine that logs every request must not fill the disk."""

EVERYTHING = ["*"]
"""For a resource that stays as Pulumi knows it."""

Secret = Callable[[str], pulumi.Output[str]]
"""From the key of a top-level secret to its value."""


@dataclass(frozen=True)
class RankRun:
    """One run of a service: what its ranks are labelled with, and what they come and go with.

    `is_new` where the ranks are started by this run of Pulumi: they run under no token yet.
    `is_unknown` where too little is known of the service to change anything of it.
    """

    token: str
    is_new: bool
    is_unknown: bool
    owner: str
    stop_steps: Mapping[str, pulumi.Resource]
    parent: pulumi.Resource
    head: str

    def build_labels(self, launch: Launch) -> dict[str, str]:
        return {
            labels.SERVICE: launch.service,
            labels.RANK: str(launch.rank),
            labels.TOKEN: self.token,
            labels.OWNER: self.owner,
        }

    def build_options(self, node: str, provider: docker.Provider) -> pulumi.ResourceOptions:
        """After every `stop_previous` of the service; replaced and removed with that of `node`."""
        return pulumi.ResourceOptions(
            parent=self.parent,
            provider=provider,
            depends_on=list(self.stop_steps.values()),
            deleted_with=self.stop_steps[node],
            replace_with=[self.stop_steps[node]],
            # `stop_previous` has made room: what is gone already must not be asked to go first.
            delete_before_replace=False,
            ignore_changes=EVERYTHING if self.is_unknown else None,
        )

    def build_rank_options(self, node: str, provider: docker.Provider) -> pulumi.ResourceOptions:
        """Those of a rank itself. One that runs as declared is only replaced because Pulumi is
        asked to (`--replace`, `state taint`): it is there, and its name is free once it is gone."""
        return pulumi.ResourceOptions.merge(
            self.build_options(node, provider),
            pulumi.ResourceOptions(delete_before_replace=not self.is_new),
        )


def get_member_image(launch: Launch) -> str:
    return str(get_started_image(launch))
