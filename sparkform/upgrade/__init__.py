"""The order in which the nodes of a rack are updated, and what comes next. Pure."""
