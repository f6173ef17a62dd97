"""InferenceService: one served model. Policies read it; what runs it comes with the launches."""

from __future__ import annotations

from collections.abc import Collection

import pulumi

from sparkform.rules.props import SERVICE_TYPE, service_props
from sparkform.spec import Spec


class InferenceService(pulumi.ComponentResource):
    """Plain props (docs/decisions/0090); policies of the stack read the outputs."""

    def __init__(
        self, name: str, spec: Spec, secrets: Collection[str], opts: pulumi.ResourceOptions
    ) -> None:
        props = service_props(spec, name, secrets)
        super().__init__(SERVICE_TYPE, name, props, opts)
        self.register_outputs(props)
