"""`sparkform doctor`: the nodes as they are, held against the plan."""
