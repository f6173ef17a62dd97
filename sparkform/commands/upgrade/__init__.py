"""`sparkform upgrade`: packages and firmware of the nodes, one node after the other."""
