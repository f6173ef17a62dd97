"""What a benchmark sends, what came of it, and how two differ: loads, results, statistics. Pure."""
