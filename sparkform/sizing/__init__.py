"""What fits on how many nodes, and how fast it serves. Pure but for the catalogue."""
