"""`sparkform dashboard`: services and nodes as a live page on this machine."""
