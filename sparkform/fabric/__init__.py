"""Topology, cables, and the addresses of every half of every port. Pure."""
