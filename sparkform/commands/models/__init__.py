"""`sparkform models`: the catalogue, and what lies on which node."""
