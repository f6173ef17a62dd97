"""Readings of a machine that may not answer, known, absent or unread; and its GPU's figures."""
