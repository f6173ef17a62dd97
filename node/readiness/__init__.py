"""Waiting for a service to answer: watched, judged, and ended safely where it cannot."""
