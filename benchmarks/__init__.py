"""Speed, measured side by side and printed as ratios."""
