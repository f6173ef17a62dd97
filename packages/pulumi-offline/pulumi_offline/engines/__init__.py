"""Real inference engines for simulated racks, out of package registries."""
