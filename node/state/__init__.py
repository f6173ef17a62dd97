"""What the agent keeps under /var/lib/sparkform: claim, lock, manifest and receipts."""
