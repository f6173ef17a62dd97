"""Programs of a simulated DGX Spark; standard library only, Python 3.11 of Debian bookworm."""
