"""What Pulumi programs import: `run` is all of one, `build_stack` a part beside other things."""

from __future__ import annotations

from components.inference_service import InferenceService
from components.program import RackStack, build_stack, run
from components.rack import Rack

__all__ = ["InferenceService", "Rack", "RackStack", "build_stack", "run"]
