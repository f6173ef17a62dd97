"""Planned launches on real NVIDIA GPUs without a network: what is brought, run and reported."""
