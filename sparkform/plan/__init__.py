"""Pure planning: from spec and facts to steps and launches."""
