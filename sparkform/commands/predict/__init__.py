"""`sparkform predict`: how fast a model decodes and how soon it answers."""
