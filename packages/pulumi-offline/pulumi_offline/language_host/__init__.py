"""A Pulumi language host for Python, for the CLI that the toolchain builds.

The official one is a Go program that no package registry serves. This one answers the same RPCs in
the same way for what a project of pip and a virtual environment needs, and says UNIMPLEMENTED for
the rest. Source of the behaviour: sdk/python/cmd/pulumi-language-python at tag v3.259.0.
"""
