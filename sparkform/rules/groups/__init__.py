"""One module a rule group; a rule is a generator of violations."""
