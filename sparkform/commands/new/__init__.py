"""`sparkform new`: a Pulumi project around the installed program."""
