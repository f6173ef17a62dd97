"""Container images on a node: pulled from a registry, built upon, or loaded from another node."""
