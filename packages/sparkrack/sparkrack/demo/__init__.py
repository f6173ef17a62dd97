"""The product shown on two simulated Sparks: `python -m sparkrack.demo`."""
