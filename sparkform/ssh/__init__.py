"""One login and one exec a node, all nodes at once, with checked host keys."""
