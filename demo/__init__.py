"""The product shown on two simulated Sparks: `python -m demo`."""
