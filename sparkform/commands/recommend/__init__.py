"""`sparkform recommend`: a service block for a model, with its reasons."""
