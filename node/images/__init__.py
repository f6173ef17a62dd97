"""Container images on a node: references, and pull, build, save and load through Docker."""
