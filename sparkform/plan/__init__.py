"""Pure planning: from the declaration and the reports to steps and launches."""
