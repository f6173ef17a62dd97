"""The control side: declaration, reports, plan, rules and commands."""
