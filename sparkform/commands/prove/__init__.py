"""`sparkform prove`: from a small model on one node to the declared service, in stages."""
