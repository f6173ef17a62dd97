"""What is wrong with a rack: the reports against the declaration and the plan. Pure."""

from __future__ import annotations

from sparkform.doctor.check import Check, Status
from sparkform.doctor.diagnosis import diagnose
from sparkform.doctor.probes import add_probes

__all__ = ["Check", "Status", "add_probes", "diagnose"]
