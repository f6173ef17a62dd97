"""One module a rule group. A rule is a generator over what it may look at."""
