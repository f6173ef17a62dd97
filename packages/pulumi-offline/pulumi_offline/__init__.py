"""Pulumi out of package registries, for machines that reach nothing else."""
