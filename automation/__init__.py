"""Runs of ordinary stacks through Pulumi's Automation API."""
