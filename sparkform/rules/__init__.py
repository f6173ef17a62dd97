"""What is known to break, with evidence and remedy, one small module a rule group."""
