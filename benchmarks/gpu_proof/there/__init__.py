"""What runs on the machine with the GPU: the standard library, the agent and the engine."""
