"""Inference engines for the rack's nodes: real vLLM on a CPU, and a stand-in for TensorRT-LLM."""
