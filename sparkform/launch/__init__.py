"""What each rank of a service is started with (docs/design/launches.md). Pure."""

from __future__ import annotations

from sparkform.launch.plan import LaunchPlan, plan_launches
from sparkform.launch.records import Launch, canonical, digest

__all__ = ["Launch", "LaunchPlan", "canonical", "digest", "plan_launches"]
