"""Keeps a ready service serving: its ranks are watched, and restarted together as one group."""
