"""What a model is made of: its shape, its quantisation, and how config.json states them. Pure."""
