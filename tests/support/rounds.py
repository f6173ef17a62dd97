"""Long rack tests run a selection of their rounds, or all where the environment says so."""

from __future__ import annotations

import os

ALL_ROUNDS = os.environ.get("SPARKFORM_RACK_ROUNDS") == "all"
