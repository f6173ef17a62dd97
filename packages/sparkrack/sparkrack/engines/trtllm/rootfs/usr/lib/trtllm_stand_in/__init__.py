"""A stand-in for TensorRT-LLM: real ranks under real Open MPI, and a server without a model.

There is no build of TensorRT-LLM for a CPU. This checks what the real one checks before it loads
anything, fails as the real one fails where it is told to, and says in every answer what it is.
"""
