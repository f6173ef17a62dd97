"""The wait until a service answers: watched, judged, and ended where it cannot answer."""
