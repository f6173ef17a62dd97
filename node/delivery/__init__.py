"""Brings models and images to a node: from the hub, a registry or another node."""
