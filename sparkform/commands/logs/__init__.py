"""`sparkform logs`: the engines' logs of all nodes."""
