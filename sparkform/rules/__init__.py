"""What is known to break, one small module a rule group."""
