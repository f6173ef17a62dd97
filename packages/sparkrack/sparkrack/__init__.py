"""Simulated Sparks: system containers with sshd, systemd, netplan and a Docker of their own."""
