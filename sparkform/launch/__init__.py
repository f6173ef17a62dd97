"""What each rank of a service is started with: command, environment and files. Pure."""

from __future__ import annotations

from sparkform.launch.plan import LaunchPlan, plan_launches
from sparkform.launch.records import Launch, hash_launches, serialize_launches

__all__ = ["Launch", "LaunchPlan", "hash_launches", "plan_launches", "serialize_launches"]
