"""Recipes of other tools, read piece by piece, and the service blocks they become. Pure."""
