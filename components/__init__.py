"""Pulumi resources only: no arithmetic, no subprocess."""
