"""Which declared services cannot be run yet."""

from __future__ import annotations

from sparkform.errors import Problem
from sparkform.spec.spec import Spec


def unsupported_services(spec: Spec) -> list[Problem]:
    """One refusal for each service, as long as nothing runs services."""
    return [
        Problem(
            path=f"services.{name}",
            what="cannot be run yet, as this version looks after the rack only",
            remedy="leave sparkform:services empty",
        )
        for name in spec.services
    ]
