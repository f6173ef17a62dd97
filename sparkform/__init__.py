"""The control side: spec, facts, catalogue, planner and rules. Imports no Pulumi."""
