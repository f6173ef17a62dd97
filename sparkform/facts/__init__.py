"""What a node reports."""
