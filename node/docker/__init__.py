"""Swarm membership and the nodes of a Swarm, by the Docker Engine API."""
