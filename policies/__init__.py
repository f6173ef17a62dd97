"""The policy pack: sparkform.rules as Pulumi policies."""
