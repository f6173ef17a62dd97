"""`sparkform plan`: what `pulumi up` would do, without Pulumi."""
