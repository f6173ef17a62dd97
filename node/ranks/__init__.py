"""The ranks that run on a node: containers and units, their logs, and what log lines mean."""
