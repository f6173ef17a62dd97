"""Python environments of native engines: locked packages, pip, and trees that appear at once."""
