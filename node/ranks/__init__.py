"""The ranks that run on a node: containers and units by their labels, and their logs."""
