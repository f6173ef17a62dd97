"""`sparkform explain`: why a rule exists, and what a line of an engine's log means."""
