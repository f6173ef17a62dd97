"""Changes of a node's network: planned by netplan, armed, confirmed or rolled back."""
