"""Logins to nodes: one exec each, all at once, with checked host keys."""
