"""Brings models and images to a node: from a hub, a registry, or a node that has them."""
