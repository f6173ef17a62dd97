"""`sparkform fit`: what fits on 1 to 8 nodes, by how much, and with which context."""
