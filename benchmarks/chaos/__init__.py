"""Faults at random on a supervised service of the simulated rack, and what must never be.

The engine is a stand-in without a model (engine/usr/local/bin/vllm); supervisors, Docker, systemd,
reboots and Pulumi runs are real.
"""
