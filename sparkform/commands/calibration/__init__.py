"""`sparkform calibration`: what this user's racks measured, and what `predict` makes of it."""
