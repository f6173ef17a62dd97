"""Updates of a node's packages and firmware: what there is, and one run of them at a time."""
