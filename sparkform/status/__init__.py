"""How a rack is now: the declaration and each node's document, as rows to show. Pure."""
