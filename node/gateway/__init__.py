"""What the gateway needs of its node: digests of the clients' keys, and a certificate."""
