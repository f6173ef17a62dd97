"""What a model is made of: shape and quantisation, from config.json or a few facts. Pure."""
